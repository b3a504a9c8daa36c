def test_smoke(issue, act, check, eventually, together, service, holder_of):
    p = issue()
    assert act(p["permit_number"], "loss-reports")["version"] == 2
    print(service.event(1), service.processes(), service.role("project"))
