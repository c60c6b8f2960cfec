"""Against the service at KIRA_URL."""

import http.server
import os
import queue
import threading
import time
import unittest
from uuid import uuid4

import httpx
from kira_users import KiraError, WebhookError, connect, events, unwrap, verify_webhook
from kira_users_client import models
from kira_users_client.api.events import list_events
from kira_users_client.api.users import create_user, get_user, update_user
from kira_users_client.api.webhooks import create_webhook_endpoint, send_test_webhook

CREDENTIALS = [os.environ[f"KIRA_{name}"] for name in ("URL", "CLIENT_ID", "PASSWORD", "API_KEY")]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def individual(**more):
    names = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
    return models.IndividualInput.from_dict({"type": "individual"} | names | more)


def documents(kind):
    return [{"type": kind, "file": "data:application/pdf;base64,JVBERi0xLjQK"}]


class Unsteady(httpx.BaseTransport):
    """Loses the first answer, and puts HTML in place of the second."""

    def __init__(self):
        self.inner, self.keys = httpx.HTTPTransport(), []

    def handle_request(self, request):
        response = self.inner.handle_request(request)
        if request.url.path == "/auth":
            return response
        self.keys.append(request.headers["idempotency-key"])
        if len(self.keys) == 1:
            raise httpx.ReadError("the connection is lost")
        if len(self.keys) == 2:
            return httpx.Response(503, headers={"retry-after": "7"}, text="<html>")
        return response


class Behind(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the service, and puts something else in the place of its first answers."""

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        names = ("authorization", "content-type", "idempotency-key", "x-api-key")
        headers = {name: self.headers[name] for name in names if name in self.headers}
        answer = httpx.request(self.command, CREDENTIALS[0] + self.path, content=body, headers=headers, timeout=60)
        self.server.paths.append(self.path)
        if self.path != "/auth" and self.server.instead:
            self.server.instead.pop(0)(self)
            return
        kept = {name: answer.headers[name] for name in ("content-type", "idempotent-replayed") if name in answer.headers}
        self.answer(answer.status_code, answer.content, kept)

    do_GET = do_POST = pass_on

    def answer(self, status, content, headers, length=None):
        self.send_response(status)
        for name, value in (headers | {"content-length": str(length or len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Service(unittest.TestCase):
    def behind(self, *instead, **options):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind)
        server.instead, server.paths = list(instead), []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        return server, connect(url, *CREDENTIALS[1:], sleep=lambda _: None, **options)

    def setUp(self):
        self.client = connect(*CREDENTIALS)

    def test_a_business_with_persons_and_files_is_created_changed_and_listed(self):
        passport = {"type": "passport", "issuing_country": "GBR", "number": "1", "documents": documents("front")}
        proof = {"type": "proof_of_address", "issuing_country": "GBR", "documents": documents("file_proof_of_address")}
        person = {"first_name": "Ann", "last_name": "Lee", "identifying_information": [passport]}
        names = {"type": "business", "email": "ann@example.com", "business_legal_name": "Ann Ltd"}
        lists = {"associated_persons": [person], "identifying_information": [proof]}
        body = models.BusinessInput.from_dict(names | lists)
        user = unwrap(create_user.sync_detailed(client=self.client, body=body, idempotency_key=str(uuid4())))
        self.assertIsInstance(user, models.BusinessUser)
        kept = user.associated_persons[0].identifying_information[0].documents[0]
        self.assertEqual(kept.media_type, models.MediaType.APPLICATIONPDF)
        change = models.BusinessChange.from_dict({"phone": "+442071838750"})
        changed = unwrap(update_user.sync_detailed(client=self.client, user_id=user.id, body=change))
        self.assertEqual(changed.updated_fields, ["phone"])
        listed = [event.event.value for event in events(self.client, user_id=user.id, limit=1)]
        self.assertEqual(listed, ["user.created", "user.updated"])

    def test_an_error_has_its_code_its_problems_and_the_id_of_the_request(self):
        with self.assertRaises(KiraError) as missing:
            unwrap(get_user.sync_detailed(client=self.client, user_id=uuid4()))
        self.assertEqual((missing.exception.status, missing.exception.code), (404, "not_found"))
        self.assertIsNotNone(missing.exception.request_id)
        with self.assertRaises(KiraError) as wrong:
            body = individual(email="x")
            unwrap(create_user.sync_detailed(client=self.client, body=body, idempotency_key=str(uuid4())))
        self.assertEqual(wrong.exception.problems[0]["path"], "email")
        with self.assertRaises(KiraError) as refused:
            list_events.sync_detailed(client=connect(*CREDENTIALS[:2], "wrong", CREDENTIALS[3]))
        self.assertEqual(refused.exception.status, 401)

    def test_a_request_whose_answer_is_lost_is_repeated_with_the_same_key_and_makes_one_user(self):
        unsteady, waits = Unsteady(), []
        client = connect(*CREDENTIALS, inner=unsteady, sleep=waits.append)
        answer = create_user.sync_detailed(client=client, body=individual(), idempotency_key=str(uuid4()))
        self.assertEqual((answer.status_code, answer.headers["idempotent-replayed"]), (200, "true"))
        self.assertEqual((len(unsteady.keys), len(set(unsteady.keys)), len(waits), waits[1]), (3, 1, 2, 7.0))

    def test_a_server_that_dies_in_the_middle_of_its_answer_is_asked_again_and_makes_one_user(self):
        json = {"content-type": "application/json"}
        _, client = self.behind(lambda handler: handler.answer(201, b'{"id":', json, length=1000))
        answer = create_user.sync_detailed(client=client, body=individual(), idempotency_key=str(uuid4()))
        self.assertEqual((answer.status_code, answer.headers["idempotent-replayed"]), (200, "true"))
        self.assertEqual(unwrap(answer).email, "ada@example.com")

    def test_a_server_that_does_not_answer_in_time_is_asked_again_and_given_up_in_the_end(self):
        released = threading.Event()
        self.addCleanup(released.set)

        def silent(_):
            released.wait(60)

        _, client = self.behind(silent, timeout=5.0)
        answer = create_user.sync_detailed(client=client, body=individual(), idempotency_key=str(uuid4()))
        self.assertEqual(answer.headers["idempotent-replayed"], "true")
        _, client = self.behind(silent, silent, timeout=1.0, retries=1)
        with self.assertRaises(httpx.ReadTimeout):
            list_events.sync_detailed(client=client)

    def test_a_page_in_the_place_of_an_answer_is_an_error_with_its_status(self):
        _, client = self.behind(lambda handler: handler.answer(200, b"<html>Log in</html>", {"content-type": "text/html"}))
        with self.assertRaises(KiraError) as odd:
            list_events.sync_detailed(client=client)
        self.assertEqual((odd.exception.status, odd.exception.code), (200, "unknown"))

    def test_a_token_that_the_service_no_longer_takes_since_its_key_was_replaced_is_renewed(self):
        refusal = b'{"code":"unauthorized","message":"Invalid token"}'
        server, client = self.behind(lambda handler: handler.answer(401, refusal, {"content-type": "application/json"}))
        self.assertEqual(list_events.sync_detailed(client=client).status_code, 200)
        paths = [path.partition("?")[0] for path in server.paths]
        self.assertEqual(paths, ["/auth", "/v1/events", "/auth", "/v1/events"])

    def test_an_answer_that_is_not_the_services_is_an_error(self):
        inner = httpx.MockTransport(lambda _: httpx.Response(502, text="<html>busy</html>"))
        with self.assertRaises(KiraError) as odd:
            list_events.sync_detailed(client=connect(*CREDENTIALS, inner=inner))
        self.assertEqual(odd.exception.code, "unknown")

    def test_a_webhook_of_the_service_is_verified_and_a_changed_one_is_not(self):
        arrived = queue.Queue()

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                arrived.put((self.headers, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        wanted = {"url": f"http://127.0.0.1:{server.server_port}/", "secret": SECRET}
        body = models.CreateWebhookEndpointRequest.from_dict(wanted)
        endpoint = unwrap(create_webhook_endpoint.sync_detailed(client=self.client, body=body)).endpoint
        unwrap(send_test_webhook.sync_detailed(client=self.client, endpoint_id=endpoint.id))
        headers, body = arrived.get(timeout=30)
        self.assertEqual(verify_webhook(["another secret, longer", SECRET], headers, body)["event"], "webhook.test")
        for secret, given, content, now in [
            (SECRET, headers, body + b" ", None),
            ("another secret, longer", headers, body, None),
            (SECRET, headers, body, time.time() + 600),
            (SECRET, {}, body, None),
        ]:
            with self.assertRaises(WebhookError):
                verify_webhook(secret, given, content, now=now)


if __name__ == "__main__":
    unittest.main()
