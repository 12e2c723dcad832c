"""Proposals, results, and their JSON."""

from rafiki.advisor import ParamsType, Proposal, TrialResult


def test_the_constructor_is_the_contracts() -> None:
    proposal = Proposal(3, {"a": 1})
    assert (proposal.trial_no, proposal.knobs, proposal.params_type) == (3, {"a": 1}, ParamsType.NONE)
    assert (proposal.to_eval, proposal.to_cache_params, proposal.to_save_params) == (True, False, True)
    assert proposal.trial_id is None
    assert Proposal(1, {}, meta=None).meta == {}
    assert TrialResult(proposal).score is None


def test_json_has_the_same_keys_and_params_type_by_name() -> None:
    proposal = Proposal(2, {"a": [1, "x"]}, ParamsType.GLOBAL_BEST, False, True, False, {"method": "gp"}, "id")
    assert proposal.to_json() == {
        "trial_no": 2,
        "knobs": {"a": [1, "x"]},
        "params_type": "GLOBAL_BEST",
        "to_eval": False,
        "to_cache_params": True,
        "to_save_params": False,
        "meta": {"method": "gp"},
        "trial_id": "id",
    }
    assert Proposal.from_json(proposal.to_json()) == proposal
    assert Proposal.from_json({"trial_no": 1, "knobs": {}}) == Proposal(1, {})
    result = TrialResult(proposal, 0.5)
    assert TrialResult.from_json(result.to_json()) == result
    assert result != TrialResult(proposal, 0.4)


def test_names_of_params_types() -> None:
    names = {"NONE", "LOCAL_RECENT", "LOCAL_BEST", "GLOBAL_RECENT", "GLOBAL_BEST"}
    assert {each.name for each in ParamsType} == names
