"""The one exception that a user's mistake raises."""


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that names the thing, what was expected and what
    to do. The command line prints it and exits with code 2; a traceback never
    reaches the user.
    """
