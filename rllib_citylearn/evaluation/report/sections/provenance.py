"""How the numbers were got, so that they can be got again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rllib_citylearn.env.config import CITYLEARN, FAST
from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Block, Bullets, Code, Command, Paragraph, Strong, Text
from rllib_citylearn.evaluation.report.setting import Setting, inline
from rllib_citylearn.evaluation.words import MONTHS, WEEKDAYS, listed, number

_SIMULATED: Mapping[str, Text] = {
    CITYLEARN: ("CityLearn itself simulated (engine ", Code(CITYLEARN), "). "),
    FAST: ("The compiled engine simulated (engine ", Code(FAST), "), whose results are CityLearn's. "),
}


def provenance_blocks(casts: Sequence[Cast], setting: Setting) -> tuple[Block, ...]:
    """The command, the data, what simulated, seeds, times and versions."""
    evaluations = [e for cast in casts for contender in cast.community.contenders for e in contender.all]
    data = setting.data
    facts: list[Text] = []
    if isinstance(data, Mapping):
        facts += [(Strong(f"data {name}"), ": ", Code(inline(value))) for name, value in data.items()]
    else:
        facts.append((Strong("data"), ": ", Code(inline(data))))
    facts.append((Strong("time"), f": {span(casts[0].evaluation.course)}"))
    facts.append((Strong("random seeds"), f": {listed([str(seed) for seed in sorted({e.seed for e in evaluations})])}"))
    facts.append((Strong("versions"), f": {', '.join(f'{name} {number}' for name, number in setting.versions.items())}"))
    for full, short in casts[0].labels.items():
        if full != short:
            facts.append((Strong(short), " is ", Code(full)))
    return (Command(setting.command), Paragraph(_simulated(evaluations)), Bullets(tuple(facts)))


def training_facts(training: Mapping[str, object]) -> Bullets:
    """Facts of the training behind the policies, but for what is too long to read."""
    short = {name: value for name, value in training.items() if not isinstance(value, Mapping)}
    return Bullets(tuple((Strong(name.replace("_", " ")), f": {_fact(value)}") for name, value in short.items()))


def span(course: Course) -> str:
    """Which time of the data it is; data sets have months and days of the week, but no years."""
    first, last = course.window
    days = course.steps / course.steps_per_day
    minutes = number(course.seconds_per_time_step / 60.0, 0)
    return (
        f"time steps {first} to {last} of the data, {number(days, 1)} days in steps of {minutes} minutes, from "
        f"{_moment(course, 0)} to {_moment(course, course.steps - 1)} (the data names no years)"
    )


def _moment(course: Course, row: int) -> str:
    day = WEEKDAYS[course.day_type[row] - 1]
    return f"{day} in {MONTHS[course.month[row] - 1]}, hour {course.hour[row]}"


def _simulated(evaluations: Sequence[Evaluation]) -> Text:
    sentences: list[str | Strong | Code] = ["Each controller ran through the window once for each random seed. "]
    for engine in sorted({evaluation.engine for evaluation in evaluations}):
        sentences += _SIMULATED[engine]
    sentences += ["CityLearn computed the KPIs (", Code("CityLearnEnv.evaluate()"), ", district level)."]
    return tuple(sentences)


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else inline(value)
