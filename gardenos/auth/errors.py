"""How the sign-in refuses: GoTrue's statuses, codes and messages, which Supabase's clients compare.

SignInError
├── BadJson                        400 bad_json
├── ValidationFailed               400 validation_failed
├── UnsupportedGrant               400 invalid_credentials
├── InvalidCredentials             400 invalid_credentials
├── UserBanned                     400 user_banned
│   └── BearerBanned               403 user_banned
├── WrongPassword                  400 current_password_mismatch
├── RefreshTokenUnknown            400 refresh_token_not_found
├── RefreshTokenUsed               400 refresh_token_already_used
├── SessionExpired                 400 session_expired
├── TokenMissing                   401 no_authorization
├── BadToken                       403 bad_jwt
├── UserUnknown                    403 user_not_found
├── SessionUnknown                 403 session_not_found
├── NotAdmin                       403 not_admin
├── SignUpClosed                   422 signup_disabled
├── UserExists                     422 user_already_exists
├── InvitationUnknown              422 invite_not_found
├── WeakPassword                   422 weak_password
├── SamePassword                   422 same_password
├── NotOffered                     422 email_provider_disabled
└── TooManyGuesses                 429 over_request_rate_limit
    └── TooManyFromHere            429 over_request_rate_limit
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gardenos.core.errors import GardenOSError


class SignInError(GardenOSError):
    """The sign-in could not do what it was asked."""

    status = 400
    code = "unknown"
    said: ClassVar[str | None] = None
    """GoTrue's words for it, to the letter."""

    def __init__(self, detail: str | None = None, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail or self.said, retry_after_s=retry_after_s)


class BadJson(SignInError):
    """The request's body cannot be read as a JSON object."""

    code = "bad_json"


class ValidationFailed(SignInError):
    """The request's body is not what this route takes."""

    code = "validation_failed"


class UnsupportedGrant(SignInError):
    """There is no such way to sign in here."""

    code = "invalid_credentials"
    said = "unsupported_grant_type"


class InvalidCredentials(SignInError):
    """There is no user with this e-mail and this password."""

    code = "invalid_credentials"
    said = "Invalid login credentials"


class UserBanned(SignInError):
    """The user may not sign in."""

    code = "user_banned"
    said = "User is banned"


class BearerBanned(UserBanned):
    """The user has been banned since the access token was made."""

    status = 403


class WrongPassword(SignInError):
    """The current password is not the one that was sent."""

    code = "current_password_mismatch"


class RefreshTokenUnknown(SignInError):
    """No session goes on with this refresh token."""

    code = "refresh_token_not_found"
    said = "Invalid Refresh Token: Refresh Token Not Found"


class RefreshTokenUsed(SignInError):
    """The refresh token was used before; its session is over."""

    code = "refresh_token_already_used"
    said = "Invalid Refresh Token: Already Used"


class SessionExpired(SignInError):
    """The session is over."""

    code = "session_expired"
    said = "Invalid Refresh Token: Session Expired"


class TokenMissing(SignInError):
    """The request carries no access token."""

    status = 401
    code = "no_authorization"
    said = "This endpoint requires a valid Bearer token"


class BadToken(SignInError):
    """The access token is not valid here."""

    status = 403
    code = "bad_jwt"


class UserUnknown(SignInError):
    """The access token's user is none of ours."""

    status = 403
    code = "user_not_found"
    said = "User from sub claim in JWT does not exist"


class SessionUnknown(SignInError):
    """The access token's session is over."""

    status = 403
    code = "session_not_found"
    said = "Session from session_id claim in JWT does not exist"


class NotAdmin(SignInError):
    """Users cannot change what the installation notes about them."""

    status = 403
    code = "not_admin"
    said = "Updating app_metadata requires admin privileges"


class SignUpClosed(SignInError):
    """Nobody can make an account for themselves here."""

    status = 422
    code = "signup_disabled"
    said = "Signups not allowed for this instance"


class UserExists(SignInError):
    """There is an account with this e-mail already."""

    status = 422
    code = "user_already_exists"
    said = "User already registered"


class InvitationUnknown(SignInError):
    """No open invitation for this e-mail has this token: it was used, withdrawn, or has expired."""

    status = 422
    code = "invite_not_found"


class WeakPassword(SignInError):
    """The password is easy to guess. Choose a longer one."""

    status = 422
    code = "weak_password"

    def __init__(self, detail: str | None = None, *, reasons: Sequence[str] = ("length",)) -> None:
        super().__init__(detail)
        self.reasons = tuple(reasons)
        """GoTrue's words: `length`, `characters`, `pwned`."""


class SamePassword(SignInError):
    """The new password is the old one."""

    status = 422
    code = "same_password"
    said = "New password should be different from the old password."


class NotOffered(SignInError):
    """This installation sends no mail and no messages, so it cannot confirm an address."""

    status = 422
    code = "email_provider_disabled"


class TooManyGuesses(SignInError):
    """Too many attempts to sign in with this e-mail. Wait for the seconds in Retry-After."""

    status = 429
    code = "over_request_rate_limit"


class TooManyFromHere(TooManyGuesses):
    """Too many attempts from your address. Wait for the seconds in Retry-After."""
