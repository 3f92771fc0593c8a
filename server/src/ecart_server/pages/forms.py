"""HTML forms: their fields, and the token that protects them from cross-site request forgery.

A browser sends a user's cookies with any form that another site shows it. So each form carries a
token that other sites cannot know: the id of the session and its signature. A form counts only if
its token is signed for the session that the cookies name (OWASP: "signed double-submit cookie").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from ecart.http.problems import HttpError
from ecart.tokens import TextSigner

MOST_FIELDS = 64

FormFields = Mapping[str, str]
"""The fields of a form; of a name that is sent twice, the last value."""


class FormTokens:
    """Makes and checks the CSRF tokens of one page set.

    `purpose` keeps tokens of different page sets apart, though they are signed with one secret.
    """

    def __init__(self, secrets: Sequence[str], purpose: str) -> None:
        self._tokens = TextSigner(secrets, purpose)

    def token_for(self, session_id: str) -> str:
        """The value of the field `token` in the forms of a session."""
        return self._tokens.sign(session_id)

    def check(self, fields: FormFields, session_id: str, *, detail: str) -> None:
        """Refuses a form whose field `token` was not made for this session.

        A token may be the signature alone, as earlier versions wrote it.

        Raises:
            HttpError: `cross_site_request`, with this detail.
        """
        signature = fields.get("token", "").rpartition(".")[2]
        if self._tokens.read(f"{session_id}.{signature}") != session_id:
            raise HttpError("cross_site_request", detail)


def parse_form(body: bytes) -> FormFields:
    """The fields of an `application/x-www-form-urlencoded` body.

    Raises:
        HttpError: `invalid_body`: it is not ASCII, or has more than 64 fields.
    """
    try:
        text = body.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise HttpError("invalid_body", "the form cannot be read") from error
