"""Read the parameters that a notebook declares, and check the values that a run gives for them.

The cell tagged `parameters` declares each on a line: `name: type = default  # help [low..high]` or
`# help {one, two}`. The brackets limit a number (or each number of a list); the braces list the allowed values.
"""

import ast
import difflib
import io
import math
import re
import tokenize
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lib.core import notebook_files, paths, yaml_files
from lib.core.errors import UserError
from lib.core.yaml_files import shown

RUNNER_SETS = ("profile", "output_dir")


class GivenTwice(UserError):
    """A list holds a value twice."""


@dataclass
class Parameter:
    """One declared parameter.

    Attributes:
        name: Its name.
        type: `"int"`, `"float"`, `"str"`, `"bool"`, `"list[int]"`, `"list[float]"` or `"list[str]"`.
        default: The value if a run gives none.
        help: Its meaning, without the limits.
        low: The smallest number allowed, or None.
        high: The largest number allowed, or None.
        choices: The values allowed, or None.
    """

    name: str
    type: str
    default: object
    help: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None

    @property
    def allowed(self) -> str:
        """Describe the allowed values in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        words = {
            "int": "a whole number",
            "float": "a number",
            "str": "a text that is not empty",
            "bool": "true or false",
        }
        base = self.type.removeprefix("list[").removesuffix("]")
        text = words[base] if base == self.type else f"a list of {base}, not empty"
        if self.low is not None:
            text += f" from {self.low:g}" + (f" to {self.high:g}" if self.high is not None else " up")
        return text

    def check(self, value, where: str):
        """Convert a value to the parameter's type.

        Args:
            value: The given value. A number may be given as text, since YAML 1.1 reads `5e-5` as text.
            where: The place where it was given, for the message.

        Returns:
            The converted value.

        Raises:
            UserError: If the value has another type or is not allowed.
            GivenTwice: If it is a list that holds a value twice.
        """
        if self.type.startswith("list["):
            items = value if isinstance(value, list) else None
            if not items:
                raise self._wrong(value, where)
            base = self.type.removeprefix("list[").removesuffix("]")
            checked = [self._one(item, base, where) for item in items]
            for item, count in Counter(checked).items():
                if count > 1:
                    raise GivenTwice(f"{where}: {self.name} holds {shown(item)} twice; give each once.")
            return checked
        return self._one(value, self.type, where)

    def _one(self, value, base: str, where: str):
        if base in ("int", "float"):
            try:
                if isinstance(value, bool):
                    raise ValueError
                number = float(value)
                if number != number or abs(number) == float("inf") or (base == "int" and number != int(number)):
                    raise ValueError
            except (TypeError, ValueError, OverflowError):
                raise self._wrong(value, where) from None
            number = int(number) if base == "int" else number
            too_low = self.low is not None and number < self.low
            too_high = self.high is not None and number > self.high
            if too_low or too_high or (self.choices and str(number) not in self.choices):
                raise self._wrong(value, where)
            return number
        if base == "str" and isinstance(value, int) and not isinstance(value, bool) and str(self.default).isdecimal():
            value = str(value)  # `devices: 4`, where a word is allowed too
        if base == "bool" and isinstance(value, bool):
            return value
        if base == "str" and isinstance(value, str) and value.strip():
            self._check_characters(value, where)
            if self.choices and value not in self.choices:
                raise self._wrong(value, where)
            return value
        raise self._wrong(value, where)

    def _check_characters(self, value: str, where: str) -> None:
        if half := yaml_files.SURROGATES.search(value):
            raise UserError(
                f"{where}: {self.name} is {shown(value)}; {half[0]!r} in it is no character, but a byte that is not "
                "UTF-8 or one half of an emoji. Write the text in UTF-8."
            )
        for character in value:
            if unicodedata.category(character) == "Cc" and character not in "\t\n\r":
                raise UserError(
                    f"{where}: {self.name} is {shown(value)}; U+{ord(character):04X} in it is a control character, "
                    "which nobody can read. Take it out."
                )

    def _wrong(self, value, where: str) -> UserError:
        return UserError(f"{where}: {self.name} is {shown(value)}; it must be {self.allowed}.{self._advice(value)}")

    def _advice(self, value) -> str:
        if value is None:
            return " Give it a value, or leave it out to have its default."
        if "str" in self.type and isinstance(value, bool):
            return " YAML takes yes, no, on, off, true and false for True or False; put a text in quotes."
        if "str" in self.type and not isinstance(value, str | list):
            return " Put a text in quotes that YAML takes for something else."
        near = difflib.get_close_matches(value, self.choices or (), n=1) if isinstance(value, str) else ""
        return f" Did you mean {near[0]!r}?" if near else ""


def declared(notebook: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares.

    Args:
        notebook: The notebook's file.

    Returns:
        The parameters by name, in order.

    Raises:
        UserError: If the notebook does not exist, cannot be read, or declares no parameters.
    """
    if not notebook.is_file():
        stems = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
        near = difflib.get_close_matches(notebook.stem, stems, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"There is no notebook {notebook.stem!r}; there are {', '.join(stems)}.{hint}")
    cells = notebook_files.read(notebook).cells
    cells = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise UserError(f"{paths.shown(notebook)} has {len(cells)} cells tagged 'parameters'; it must have one.")
    try:
        return parse(cells[0].source)
    except (SyntaxError, ValueError, tokenize.TokenError) as error:
        raise UserError(
            f"{paths.shown(notebook)}: its cell of parameters cannot be read ({type(error).__name__}: {error}). Each "
            "line of it declares one, as `name: type = value  # help`."
        ) from None


def parse(source: str) -> dict[str, Parameter]:
    """Read the source of a `parameters` cell. See `declared`.

    Raises:
        SyntaxError, ValueError: If it is not Python, or a default is not a plain value.
        UserError: If a line declares no parameter.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = {}
    for statement in ast.parse(source).body:
        declares = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        if not declares or statement.value is None:
            raise UserError(
                f"A parameter is declared as `name: type = value  # help`, not as {shown(ast.unparse(statement))}."
            )
        name = statement.target.id
        if name in parameters:
            raise UserError(f"The parameter {name} is declared twice. Keep one of the two lines.")
        comment = comments.get(statement.end_lineno, "")
        parameter = Parameter(name, ast.unparse(statement.annotation), ast.literal_eval(statement.value))
        if limits := re.search(r"\s*\[(-?[\d.e-]+?)\.\.(-?[\d.e-]+)?\]", comment):
            parameter.low = float(limits[1])
            parameter.high = float(limits[2]) if limits[2] else None
        elif choices := re.search(r"\s*\{(.*?)\}", comment):
            parameter.choices = tuple(choice.strip() for choice in choices[1].split(","))
        parameter.help = re.sub(r"\s*(\[[^\]]*\.\.[^\]]*\]|\{.*?\})", "", comment)
        parameters[name] = parameter
    return parameters


def validate(given: dict, parameters: dict[str, Parameter], where: str) -> dict:
    """Check the values of a run against the declarations of a notebook.

    Args:
        given: Values by name.
        parameters: The result of `declared`.
        where: The place where the values were given, for the messages.

    Returns:
        The values, converted to the types of their parameters.

    Raises:
        UserError: At the first undeclared name or invalid value.
    """
    allowed = [name for name in parameters if name not in RUNNER_SETS]
    checked = {}
    for name, value in given.items():
        if name not in allowed:
            near = difflib.get_close_matches(str(name), allowed, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UserError(f"{where}: there is no parameter {shown(name)}; there are {', '.join(allowed)}.{hint}")
        try:
            checked[name] = parameters[name].check(value, where)
        except GivenTwice as error:
            if name == "prompts" and "num_samples" in parameters:
                raise GivenTwice(f"{error} num_samples is how many texts a prompt leads to.") from None
            raise
    return checked


def check_together(values: dict, where: str) -> None:
    """Check the parameters against each other, as far as their values alone allow it.

    Args:
        values: All parameters of a notebook by name, including defaults.
        where: The place where they were given, for the message.

    Raises:
        UserError: At the first contradiction.
    """
    for rule in (_prompts_differ, _prompts_fit, _openings_fit, _couplets, _heads, _examples, _learning_steps):
        if told := rule(values):
            raise UserError(f"{where}: {told}")


def _prompts_differ(values: dict) -> str:
    if "chinese_prompt" not in values or values.get("prompt") != values["chinese_prompt"]:
        return ""
    return f"prompt and chinese_prompt are both {shown(values['prompt'])}; their texts must differ. Change one of them."


def _prompts_fit(values: dict) -> str:
    prompts = values.get("prompts", []) + [values[name] for name in ("prompt", "chinese_prompt") if name in values]
    most = values.get("max_length", math.inf)
    for prompt in prompts:
        # A word takes at least one token. The notebook makes the exact check, which needs the tokenizer.
        words = len(prompt.split())
        told = f"max_length is {most}, but the prompt {shown(prompt, 40)} alone has {words} words"
        if words >= most:
            return f"{told}; max_length counts the prompt. Raise it or shorten the prompt."
        if "warm_repeats" in values and words + 2 > most:
            return f"{told}, and timing takes two tokens more. Raise it or shorten the prompt."
    return ""


def _openings_fit(values: dict) -> str:
    if values.get("prompt_tokens", 0) < values.get("max_length", math.inf):
        return ""
    return (
        f"prompt_tokens is {values['prompt_tokens']}, but max_length, which counts them, is {values['max_length']}. "
        "Raise max_length or lower prompt_tokens."
    )


def _couplets(values: dict) -> str:
    if values.get("min_couplets", 0) <= values.get("max_couplets", math.inf):
        return ""
    return (
        f"min_couplets is {values['min_couplets']} and max_couplets {values['max_couplets']}; no poem has that many. "
        "Raise max_couplets or lower min_couplets."
    )


def _heads(values: dict) -> str:
    width, heads = values.get("hidden_dim", 0), values.get("num_heads", 1)
    if width % heads == 0:
        return ""
    return (
        f"hidden_dim is {width} and num_heads {heads}; the first must be a multiple of the second, such as "
        f"{heads * max(1, round(width / heads))}."
    )


def _examples(values: dict) -> str:
    """Check that more Reddit stories are read than are held out. Of a stand-in, all texts are read."""
    wanted = "num_openings" if "num_openings" in values else "num_samples"
    if not values.get("dataset", "").startswith("reddit") or values.get("dataset_stand_in") != "none":
        return ""
    if values.get(wanted, 0) < values.get("num_examples", math.inf):
        return ""
    return (
        f"num_examples is {values['num_examples']} and {wanted} {values[wanted]}, which are taken from the tenth of "
        f"the stories that is held out. Raise num_examples to more than ten times that, or lower {wanted}."
    )


def _learning_steps(values: dict) -> str:
    if "probe_steps" not in values or values.get("steps") != 1:
        return ""
    return "steps is 1; the learning rate rises in the first step and falls after it. Set steps to 2 or more, or to 0."


def from_command_line(changes: list[str], parameters: dict[str, Parameter]) -> dict:
    """Parse `name=value` arguments of a command line.

    Args:
        changes: The arguments, such as `"k=40"` or `"prompt=The night was"`. A list is given in YAML,
            `"prompts=[I walked, The sea]"`, or as a single value.
        parameters: The result of `declared`.

    Returns:
        The values, converted to the types of their parameters.

    Raises:
        UserError: If an argument has another form, its name is not declared or its value is not allowed.
    """
    where, given = "the command line", {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(
                f"{where}: {shown(change)} is not of the form name=value, such as k=40 or 'prompt=My trip was'."
            )
        if name in given:
            raise UserError(f"{where}: {name} is given twice.")
        given[name] = value
        if name in parameters and parameters[name].type.startswith("list["):
            given[name] = _list(value, f"{where}: {name}")
        elif name in parameters and parameters[name].type == "bool":
            given[name] = {"true": True, "false": False}.get(value.lower(), value)
    return validate(given, parameters, where)


def _list(value: str, where: str) -> list:
    if not value.startswith("[") or yaml_files.SURROGATES.search(value):
        return [value]
    try:
        return yaml_files.parse(value, where)
    except UserError:
        if value.rstrip().endswith("]"):
            raise
        return [value]  # a text that begins with a bracket


def described(parameters: dict[str, Parameter]) -> str:
    """Describe each parameter in a printable block: its type, limits, default and meaning."""
    lines = []
    for name, parameter in parameters.items():
        if name in RUNNER_SETS:
            continue
        default = parameter.default
        shown = f"[{', '.join(map(str, default))}]" if isinstance(default, list) else str(default)
        lines += [f"  {name}: {parameter.type} = {shown}", f"      {parameter.help}; {parameter.allowed}"]
    return "\n".join(lines)


def read_experiment(file: Path) -> dict:
    """Read the parameter names and values from the YAML file of an experiment.

    Raises:
        UserError: If the file does not exist, is not such a mapping, or is rejected by `yaml_files`.
    """
    if not file.is_file():
        raise UserError(
            f"There is no {paths.shown(file)}. Every profile's folder has a YAML file named like each notebook."
        )
    content = yaml_files.read(file)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{paths.shown(file)} is {shown(content)}; it must hold lines `parameter: value`.")
    return content
