import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import hypothesis
import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import ganfill
from ganfill.app.http import routes
from ganfill.app.limits import Limits
from ganfill.app.service import EMPTY, Service
from tests.pictures import encoded

HOLE = np.zeros((40, 50), bool)
HOLE[10:30, 10:35] = True
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def serve(path):
    """Returns a function that makes a client of the API with these limits."""
    return lambda **limits: TestClient(routes.build(Service([str(path)], "cpu", Limits(**limits))))


def pixels(png):
    return np.asarray(Image.open(BytesIO(png)))


def send(client, picture=PICTURE, mask=HOLE, accept="application/json", **options):
    options = {"search": "from_pool", "align": "center"} | options
    files = {"picture": picture if isinstance(picture, bytes) else encoded(picture)}
    files |= {} if mask is None else {"mask": encoded(mask)}
    form = {"options": json.dumps(options)}
    return client.post("/v1/complete", files=files, data=form, headers={"Accept": accept})


def refused(answer, status, detail):
    """Checks that an answer is a problem of RFC 9457."""
    found = answer.json()
    assert answer.headers["content-type"] == "application/problem+json" and set(found) == {
        "type",
        "title",
        "status",
        "detail",
    }
    assert (answer.status_code, found["status"]) == (status, status) and detail in found["detail"], found
    return True


def test_answers_are_those_of_complete_as_json_and_as_png(serve, path):
    client, model = serve(), ganfill.load(path)
    words = {"search": "from_pool", "align": "center", "answers": 2, "seed": 3}
    alone = model.complete(Image.fromarray(PICTURE), Image.fromarray(HOLE), **words)
    answer = send(client, answers=2, seed=3)
    found = answer.json()
    assert answer.status_code == 200 and len(found["answers"]) == 2 and found["model"] == "tiny"
    for picture, item in zip(alone, found["answers"], strict=True):
        assert np.array_equal(pixels(base64.b64decode(item["picture"])), np.asarray(picture)) and item["score"] > 0
    assert found["missing"] == HOLE.mean() and found["seconds"] > 0 and found["extras"] == {}
    png = send(client, answers=2, seed=3, accept="image/png")
    assert png.headers["content-type"] == "image/png" and np.array_equal(pixels(png.content), np.asarray(alone[0]))
    drawn = model.complete(Image.fromarray(PICTURE), "freeform", search="from_pool", align="center", seed=3)
    png = send(client, mask=None, hole="freeform", seed=3, accept="image/png")
    assert np.array_equal(pixels(png.content), np.asarray(drawn))


def test_metadata_and_transparency_are_kept(serve):
    exif = Image.Exif()
    exif[0x010E] = "a face"
    alpha = np.where(HOLE, 0, 255).astype(np.uint8)
    alpha[0, 0] = 7
    photo = encoded(np.dstack([PICTURE, alpha]), exif=exif.tobytes(), icc_profile=b"colours")
    answer = send(serve(), photo, None, "image/png")
    with Image.open(BytesIO(answer.content)) as found:
        assert found.getexif()[0x010E] == "a face" and found.info["icc_profile"] == b"colours"
        after = np.asarray(found)
    assert after[0, 0, 3] == 7 and (after[HOLE][:, 3] == 255).all()
    assert np.array_equal(after[~HOLE][:, :3], PICTURE[~HOLE])


def test_an_empty_mask_gets_a_remark(serve):
    found = send(serve(), mask=np.zeros_like(HOLE)).json()
    assert found["remarks"] == [EMPTY] and found["answers"][0]["score"] is None
    assert np.array_equal(pixels(base64.b64decode(found["answers"][0]["picture"])), PICTURE)


def test_errors_are_problem_details(serve):
    client = serve(megapixels=0.01)
    assert refused(send(client, model="other"), 404, "model=other is unknown: use tiny")
    assert refused(client.get("/v1/nothing"), 404, "/v1/nothing does not exist")
    wrong = client.get("/v1/complete")
    assert refused(wrong, 405, "/v1/complete allows POST") and wrong.headers["allow"] == "POST"
    assert refused(client.post("/healthz"), 405, "/healthz allows GET")
    assert refused(send(client, np.zeros((200, 200, 3), np.uint8)), 413, "picture has 0.04 megapixels")
    assert refused(client.post("/v1/complete", json={}), 415, "must be multipart/form-data, got application/json")
    assert refused(client.post("/v1/complete", data={"options": "{}"}), 415, "x-www-form-urlencoded")
    assert refused(send(client, b"hello"), 422, "picture cannot be read (no picture in a format that ganfill reads)")
    assert refused(send(client, mask=HOLE[:9]), 422, "the mask is 50x9")
    assert refused(send(client, mask=None), 422, "neither a mask nor transparency")
    assert refused(send(client, hole="center"), 422, "hole=center cannot be combined with a mask")
    assert refused(send(client, mask=None, hole="star"), 422, "hole=star is unknown")
    assert refused(send(client, answers="two"), 422, "options.answers: Input should be a valid integer")
    assert refused(send(client, answers=99), 422, "answers must be from 1 to 16, got 99")
    assert refused(send(client, answers=10**400), 422, "answers must be from 1 to 16, got 1000")
    assert refused(send(client, anwsers=2), 422, "options.anwsers: Extra inputs")
    assert refused(client.post("/v1/complete", files={"mask": b"x"}), 422, "picture: Field required")
    torn = {"content-type": "multipart/form-data"}
    assert refused(client.post("/v1/complete", content=b"x", headers=torn), 400, "Missing boundary")
    assert refused(send(serve(seconds=1e-6)), 504, "took more than")


def test_a_hole_that_is_drawn_stays_although_paint_is_in_its_place(serve):
    painted = np.full((40, 40, 3), 90, np.uint8)
    painted[8:32, 8:32] = 200, 30, 30
    drawn = send(serve(), painted, None, hole="center").json()
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    sent = send(serve(), painted, mask).json()
    assert drawn["missing"] == mask.mean() < sent["missing"] and drawn["remarks"] != sent["remarks"]


def test_the_region_may_be_given_as_a_box(serve):
    client, model = serve(), {"align": "box", "box": "9,5,37,33"}
    looked = send(client, **model).json()["holes"][0]["squares"][0]
    assert [looked[side] for side in ("left", "top", "right", "bottom")] == [9, 5, 37, 33]
    assert refused(send(client, align="box"), 422, "align=box needs box=left,top,right,bottom")
    assert refused(send(client, box="9,5,37,33"), 422, "align=center does not use box=9,5,37,33: give align=box")
    assert refused(send(client, align="box", box="0,0,1e9,1e9"), 413, "box=0,0,1e9,1e9 has 1e+12 megapixels")
    assert refused(send(client, align="box", box=";".join(["9,5,37,33"] * 99)), 422, "at most 400 characters")


def test_other_parts_and_parameters_are_refused(serve):
    client, files = serve(), {"picture": encoded(PICTURE)}
    words = {"options": '{"hole": "center", "search": "from_pool"}'}
    assert client.post("/v1/complete", files=files, data=words).status_code == 200
    answer = client.post("/v1/complete", files=files, data=words | {"answers": "4"})
    assert refused(answer, 422, "answers is not a part of the form: give it in options, see /docs")
    answer = client.post("/v1/complete", files=files | {"maks": encoded(HOLE)}, data=words)
    assert refused(answer, 422, "maks is not a part of the form: give picture, mask, options, see /docs")
    answer = client.post("/v1/complete?answers=4", files=files, data=words)
    assert refused(answer, 422, "answers is not a parameter of the address: give it in options, see /docs")


def test_a_body_that_is_too_large_is_not_read_to_its_end(serve):
    client, head = serve(megabytes=0.01), form(picture=bytes(10_000)).removesuffix(b"--x--\r\n")
    declared = {"content-type": "multipart/form-data; boundary=x"}
    assert refused(client.post("/v1/complete", content=bytes(200_000), headers=declared), 413, "larger than 0.12 MB")
    endless = [{"type": "http.request", "body": head, "more_body": True} for _ in range(100)]
    assert call(client.app, endless) == 413 and 85 < len(endless) < 95


def call(app, messages):
    """Sends a form in several messages and returns the status; the messages that were received are removed from the list."""
    sent = []

    async def receive():
        return messages.pop(0) if messages else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/v1/complete", "headers": headers, "query_string": b""}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"]


def form(**parts):
    """The body of a multipart form; parts are texts, or the contents of files."""
    lines = []
    for name, part in parts.items():
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"'
        head += f'; filename="{name}"' if isinstance(part, bytes) else ""
        lines += [head.encode(), b"\r\n\r\n", part if isinstance(part, bytes) else part.encode(), b"\r\n"]
    return b"".join([*lines, b"--x--\r\n"])


def test_a_search_ends_when_its_client_disconnects_and_a_full_queue_is_an_error(path):
    service = Service([str(path)], "cpu", Limits(waiting=0))
    app = routes.build(service)
    body = form(picture=encoded(PICTURE), mask=encoded(HOLE), options='{"search": "yeh2017", "align": "center"}')
    with service.queue.slot():
        answer = send(TestClient(app))
        assert refused(answer, 503, "another picture is being completed: try again in 1 s")
        assert answer.headers["retry-after"] == "1"
    messages = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
    assert call(app, messages) == 499 and not messages
    assert len(service.queue) == 0
    assert send(TestClient(app)).status_code == 200


def test_a_waiting_request_is_checked_but_not_decoded(path, monkeypatch):
    service, decoded = Service([str(path)], "cpu", Limits(total_megapixels=24)), []
    decode = service.decode
    monkeypatch.setattr(service, "decode", lambda content, name: decoded.append(name) or decode(content, name))
    client = TestClient(routes.build(service))
    with ThreadPoolExecutor(1) as pool:
        with service.slot():
            assert refused(send(client, b"hello"), 422, "picture cannot be read")
            large = encoded(np.zeros((2000, 2000), np.uint8))
            assert refused(send(client, large, answers=7), 413, "7 answers of 4 megapixels have 28 in total")
            answer = pool.submit(send, client)
            while len(service.queue) < 2:
                time.sleep(0.005)
            assert not decoded
        assert answer.result().status_code == 200 and decoded == ["picture", "mask"]


def test_many_clients_get_their_own_answers(serve, path):
    model, options = ganfill.load(path), {"search": "fast", "align": "center"}
    pictures = [np.random.default_rng(i).integers(0, 256, (40, 50, 3), dtype=np.uint8) for i in range(24)]
    hole = Image.fromarray(HOLE)
    alone = [np.asarray(model.complete(Image.fromarray(picture), hole, **options)) for picture in pictures]
    with serve() as client, ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda i: send(client, pictures[i], accept="image/png", search="fast"), range(24)))
        assert client.get("/healthz").json() == {"status": "ok", "waiting": 0}
    assert {answer.status_code for answer in answers} == {200}
    assert all(np.array_equal(pixels(a.content), b) for a, b in zip(answers, alone, strict=True))


def test_the_models_and_the_documentation_are_served(serve, path):
    client = serve()
    tiny = {"name": "tiny", "resolution": 32, "terms": "Gemäß den Bedingungen", "sha256": ganfill.load(path).digest}
    assert client.get("/v1/models").json() == {"models": [tiny]}
    page = client.get("/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    for word in ("POST /v1/complete", "picture", "options, as application/json", "posterior", "413", "missing"):
        assert word in page.text
    assert "http://" not in page.text and "https://" not in page.text


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_generated_request_gets_an_undocumented_answer(serve, mode):
    schema = schemathesis.openapi.from_asgi("/openapi.json", serve().app)
    seen = []
    for operation in (result.ok() for result in schema.get_all_operations()):
        if mode == "negative" and operation.method != "post":
            continue  # it has no parameters

        @hypothesis.settings(
            max_examples=15,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def examine(case):
            case.call_and_validate(checks=CHECKS)
            seen.append(case.operation.path)

        examine()
    assert "/v1/complete" in seen and len(seen) > 10
