"""Several bundles' policies as one: each has its own coordinator and actor, and the joint action is the mean of theirs.

Policies that were trained alike but from other seeds err in other places, and their mean errs less than they do: see
"Months that were not there" in docs/results.md. An ensemble is a bundle as any other. A building's hint is its members'
hints one after the other, so that a gateway can run the mean actor alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import onnx
from onnx import TensorProto, compose, helper

from rllib_citylearn.errors import BundleError
from rllib_citylearn.export.bundle import Bundle
from rllib_citylearn.export.manifest import MEMBERS, Manifest


def combine(bundles: Sequence[Bundle], *, name: str, command: str | None = None) -> tuple[Manifest, dict[str, bytes]]:
    """What ``write_bundle`` needs for an ensemble.

    Means of actions that each keep a departure's guard, which asks for at least so much charge, keep it as well.

    Args:
        bundles: at least two, of policies that see and set the same, in the same ranges.
        name: the ensemble's name.
        command: the command line that makes it again, for its record.

    Raises:
        BundleError: fewer than two, one of them twice, or policies that don't fit together; the message says which.
    """
    if len(bundles) < 2:
        raise BundleError(f"{len(bundles)} bundle was given; an ensemble has at least two members.")
    _require_alike(bundles)
    first = bundles[0].manifest
    data = [one.manifest.training.get("data") for one in bundles]
    training = {
        "command": command,
        "data": data[0] if all(one == data[0] for one in data) else None,
        MEMBERS: [
            {**one.manifest.training, "name": one.manifest.name, "sha256": one.sha256, "kpis": dict(one.manifest.kpis)}
            for one in bundles
        ],
    }
    manifest = Manifest(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        community=first.community,
        hint_size=sum(one.manifest.hint_size for one in bundles),
        training=training,
        kpis={},
    )
    models = {"policy": _combined(bundles, "policy"), "actor": _combined(bundles, "actor")}
    if manifest.hint_size:
        models["coordinator"] = _combined([one for one in bundles if one.manifest.hint_size], "coordinator")
    return manifest, models


def _require_alike(bundles: Sequence[Bundle]) -> None:
    first, seen = bundles[0].manifest, set()
    community = first.community.to_dict()
    for one in bundles:
        if one.sha256 in seen:
            raise BundleError(f"The policy {one.manifest.name} was given twice; name each member of an ensemble once.")
        seen.add(one.sha256)
        other = one.manifest.community.to_dict()
        if different := ", ".join(key for key in community if community[key] != other[key]):
            raise BundleError(
                f"The policies {first.name} and {one.manifest.name} differ in what they see or set ({different}); an "
                "ensemble's members are trained on the same buildings with the same features, ranges and actions."
            )


def _combined(bundles: Sequence[Bundle], model: str) -> bytes:
    """One graph of the members' graphs side by side, with their inputs shared and their outputs put together."""
    members = [onnx.load_model_from_string(one.models[model]) for one in bundles]
    opsets = {member.opset_import[0].version for member in members}
    if len(opsets) > 1:
        raise BundleError(
            f"The members' {model}.onnx use the ONNX operator sets {', '.join(map(str, sorted(opsets)))}; export them all "
            "with one version of rllib_citylearn."
        )
    nodes, initializers, ends, taken = [], [], [], 0
    output = members[0].graph.output[0].name
    for place, (member, bundle) in enumerate(zip(members, bundles, strict=True)):
        mark = f"member{place}/"
        graph = compose.add_prefix(member, mark).graph
        size = bundle.manifest.hint_size
        for given in member.graph.input:
            if given.name != "hints":
                nodes.append(helper.make_node("Identity", [given.name], [mark + given.name]))
                continue
            bounds = [f"{mark}from", f"{mark}to", "hint_axis"]
            initializers += [_integers(bounds[0], taken), _integers(bounds[1], taken + size)]
            nodes.append(helper.make_node("Slice", ["hints", *bounds], [f"{mark}hints"]))
            taken += size
        nodes += graph.node
        initializers += graph.initializer
        ends.append(mark + output)
    if taken:
        initializers.append(_integers("hint_axis", 2))
    kind, attributes = ("Concat", {"axis": 2}) if output == "hints" else ("Mean", {})
    nodes.append(helper.make_node(kind, ends, [output], **attributes))
    sizes = {"hints": sum(one.manifest.hint_size for one in bundles)}
    inputs = {given.name: given for member in members for given in member.graph.input}
    graph = helper.make_graph(
        nodes,
        f"{model} of {len(bundles)}",
        [_sized(given, sizes) for given in inputs.values()],
        [_sized(members[0].graph.output[0], sizes)],
        initializers,
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opsets.pop())], ir_version=max(m.ir_version for m in members)
    )
    data: bytes = made.SerializeToString()
    return data


def _integers(name: str, value: int) -> TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [1], [value])


def _sized(value: onnx.ValueInfoProto, sizes: dict[str, int]) -> onnx.ValueInfoProto:
    """An input or output with the batch and buildings as they are, and its last size from ``sizes`` where that has it."""
    places = value.type.tensor_type.shape.dim
    shape = [place.dim_param or place.dim_value for place in places]
    shape[-1] = sizes.get(value.name, shape[-1])
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, shape)
