"""A mail server (aiosmtpd) that prints what it receives, one letter as one line of JSON.

usage: mailbox.py CERTIFICATE KEY USER PASSWORD REFUSALS PORT

It wants STARTTLS and a password, and refuses the first so many letters for now. It prints `port N` when it listens.
"""
import email, email.policy, json, ssl, sys, time, warnings
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

warnings.simplefilter("ignore")
certificate, key, user, password = sys.argv[1:5]
refusals = int(sys.argv[5])


class Handler:
    async def handle_DATA(self, server, session, envelope):
        global refusals
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        refused, refusals = refusals > 0, refusals - 1
        print(json.dumps({
            "refused": refused, "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None, "subject": letter["Subject"],
            "id": letter["Message-ID"], "auto": letter["Auto-Submitted"], "text": letter.get_content(), "defects": len(letter.defects),
        }), flush=True)
        return "451 4.3.0 come again later" if refused else "250 2.0.0 thank you"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == user.encode() and data.password == password.encode(), handled=False)


class Mailbox(Controller):
    def factory(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return SMTP(self.handler, tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True)


box = Mailbox(Handler(), hostname="127.0.0.1", port=int(sys.argv[6]))
box.start()
print("port", box.port, flush=True)
while True:
    time.sleep(60)
