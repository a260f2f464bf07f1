"""A mail server for tests. It says its port, keeps each mail as a file of JSON in a folder, and ends with its standard input.

It is told what to do in JSON, as its one argument:
  folder                  where mail goes
  port                    0 for one that is free
  tls                     none, starttls or at_once, with certificate and key
  login                   [user, password] that it insists on
  refusals                {recipient: [answer, answer, ...]}: one for each try, then the recipient is taken
"""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult


class Keeper:
    def __init__(self, wanted):
        self.wanted = wanted
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        answers = self.wanted["refusals"].get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or self.wanted["tls"] == "at_once",
            "login": session.auth_data,
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": message.get_content().replace("\r\n", "\n"),
        }
        self.count += 1
        path = os.path.join(self.wanted["folder"], f"{os.getpid()}-{self.count:04}")
        with open(path + ".new", "w") as file:
            json.dump(kept, file)
        os.rename(path + ".new", path + ".json")
        return "250 taken"


async def main():
    wanted = json.loads(sys.argv[1])
    keeper = Keeper(wanted)
    context = None
    if wanted["tls"] != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(wanted["certificate"], wanted["key"])

    def authenticate(server, session, envelope, mechanism, data):
        login = [data.login.decode(), data.password.decode()]
        return AuthResult(success=login == wanted["login"], auth_data=login[0], handled=False)

    def connection():
        starttls = context if wanted["tls"] == "starttls" else None
        return SMTP(
            keeper,
            hostname="mail.example.net",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate,
            auth_required=wanted["login"] is not None,
            auth_require_tls=starttls is not None,
        )

    at_once = context if wanted["tls"] == "at_once" else None
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", wanted["port"], ssl=at_once)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await server.serve_forever()


asyncio.run(main())
