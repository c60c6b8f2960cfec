"""Onboards a business with a person and files, and waits for the webhook that says so. After `./generate`, in its folder:
KIRA_URL=… KIRA_CLIENT_ID=… KIRA_PASSWORD=… KIRA_API_KEY=… PYTHONPATH=. python examples/onboard.py
"""

import base64
import http.server
import os
import queue
import secrets
import threading
from uuid import uuid4

from kira_users import WebhookError, connect, unwrap, verify_webhook
from kira_users_client.api.users import create_user
from kira_users_client.api.webhooks import create_webhook_endpoint, delete_webhook_endpoint
from kira_users_client.models import BusinessInput, CreateWebhookEndpointRequest

SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
# Stands for the files of a real business.
FILE = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4\n").decode()
arrived = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Where webhooks arrive. A service elsewhere needs an address that it can reach."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            arrived.put(verify_webhook(SECRET, self.headers, body))
            self.send_response(204)
        except WebhookError:
            self.send_response(401)
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    kira = connect(*(os.environ[f"KIRA_{name}"] for name in ("URL", "CLIENT_ID", "PASSWORD", "API_KEY")))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    wanted = CreateWebhookEndpointRequest(url=f"http://127.0.0.1:{server.server_port}/", secret=SECRET)
    endpoint = unwrap(create_webhook_endpoint.sync_detailed(client=kira, body=wanted)).endpoint

    passport = {"type": "passport", "issuing_country": "GBR", "number": "123456789", "documents": [{"type": "front", "file": FILE}]}
    person = {"first_name": "Ann", "last_name": "Lee", "identifying_information": [passport]}
    business = {"type": "business", "email": "ann@example.com", "business_legal_name": "Ann Ltd", "associated_persons": [person]}
    body = BusinessInput.from_dict(business)
    user = unwrap(create_user.sync_detailed(client=kira, body=body, idempotency_key=str(uuid4())))
    print("created", user.id, user.status)
    for target, fields in user.missing_fields.to_dict().items():
        print(f"for {target} it needs", fields)

    while (webhook := arrived.get(timeout=60))["event"] != "user.created":
        pass
    print("verified", webhook["event"])
    unwrap(delete_webhook_endpoint.sync_detailed(client=kira, endpoint_id=endpoint.id))
    server.shutdown()


if __name__ == "__main__":
    main()
