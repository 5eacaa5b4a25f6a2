"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake in the input or the surroundings, told in one clear message.

    The message names the parameter, its value, what is allowed and what to do. The runner prints it alone, without a
    traceback, and exits with status 2.
    """
