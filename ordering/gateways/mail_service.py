"""The errors of a mail service, without the recipient's address that it quotes."""


class MailServiceFailed(OSError):
    """The mail service did not accept a letter. Its own error is replaced, because it quotes the recipient."""


def plainly(error: Exception) -> Exception:
    """An error of sending in our words if it is one of Anymail's; any other error as it is."""
    if not type(error).__module__.startswith("anymail."):
        return error
    status = getattr(error, "status_code", None)
    return MailServiceFailed(f"the mail service {f'responded with {status}' if status else 'could not be asked'}")
