"""What would spoil a run on a data set, found before anything runs and without CityLearn.

    from rllib_citylearn.datasets import check_dataset

    for finding in check_dataset("path/of/a/data/set"):
        print(finding.level, finding.message)

A module a family of rules; ``rules.RULES`` lists them all.
"""
