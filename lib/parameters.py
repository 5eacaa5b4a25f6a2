"""The parameters that a notebook declares, and what a run may give for them.

The cell tagged `parameters` holds a line for each: `name: type = default  # help [low..high]` or
`# help {one, two}`. The brackets limit a number (or each number of a list), the braces list the values allowed.
"""

import ast
import difflib
import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

from lib import paths
from lib.errors import UserError

RUNNER_SETS = ("profile", "output_dir")


@dataclass
class Parameter:
    """One declared parameter.

    Attributes:
        name: Its name.
        type: `"int"`, `"float"`, `"str"`, `"bool"`, `"list[int]"`, `"list[float]"` or `"list[str]"`.
        default: Its value where a run gives none.
        help: What it means, without the limits.
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
        """What may be given, in words."""
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
        """Converts a value to the parameter's type.

        Args:
            value: What was given. A number may be given as text, since YAML 1.1 reads `5e-5` as text.
            where: Where it was given, for the message.

        Returns:
            The value as the type says.

        Raises:
            UserError: If it is of another type, or not allowed.
        """
        if self.type.startswith("list["):
            items = value if isinstance(value, list) else None
            if not items:
                raise self._wrong(value, where)
            base = self.type.removeprefix("list[").removesuffix("]")
            return [self._one(item, base, where) for item in items]
        return self._one(value, self.type, where)

    def _one(self, value, base: str, where: str):
        if base in ("int", "float"):
            try:
                if isinstance(value, bool):
                    raise ValueError
                number = float(value)
                if number != number or abs(number) == float("inf") or (base == "int" and number != int(number)):
                    raise ValueError
            except (TypeError, ValueError):
                raise self._wrong(value, where) from None
            number = int(number) if base == "int" else number
            too_low = self.low is not None and number < self.low
            too_high = self.high is not None and number > self.high
            if too_low or too_high or (self.choices and str(number) not in self.choices):
                raise self._wrong(value, where)
            return number
        if base == "bool" and isinstance(value, bool):
            return value
        if base == "str" and isinstance(value, str) and value.strip():
            if self.choices and value not in self.choices:
                raise self._wrong(value, where)
            return value
        raise self._wrong(value, where)

    def _wrong(self, value, where: str) -> UserError:
        near = difflib.get_close_matches(str(value), self.choices or (), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return UserError(f"{where}: {self.name} is {value!r}; it must be {self.allowed}.{hint}")


def declared(notebook: Path) -> dict[str, Parameter]:
    """Reads the parameters that a notebook declares.

    Args:
        notebook: The notebook's file.

    Returns:
        The parameters by name, in order.

    Raises:
        UserError: If there is no such notebook, or it declares none.
    """
    if not notebook.is_file():
        stems = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
        near = difflib.get_close_matches(notebook.stem, stems, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"There is no notebook {notebook.stem!r}; there are {', '.join(stems)}.{hint}")
    cells = [
        cell for cell in nbformat.read(notebook, as_version=4).cells if "parameters" in cell.metadata.get("tags", [])
    ]
    if len(cells) != 1:
        raise UserError(f"{paths.shown(notebook)} has {len(cells)} cells tagged 'parameters'; it must have one.")
    return parse(cells[0].source)


def parse(source: str) -> dict[str, Parameter]:
    """Reads the source of a `parameters` cell. See `declared`."""
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = {}
    for statement in ast.parse(source).body:
        if not isinstance(statement, ast.AnnAssign):
            raise UserError(
                f"A parameter is declared as `name: type = value  # help`, not as {ast.unparse(statement)!r}."
            )
        name = statement.target.id
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
    """Checks what a run gives against what a notebook declares.

    Args:
        given: Values by name.
        parameters: What `declared` returned.
        where: Where the values were given, for the messages.

    Returns:
        The values, each of its parameter's type.

    Raises:
        UserError: At the first name that is not declared or value that is not allowed.
    """
    allowed = [name for name in parameters if name not in RUNNER_SETS]
    checked = {}
    for name, value in given.items():
        if name not in allowed:
            near = difflib.get_close_matches(str(name), allowed, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UserError(f"{where}: there is no parameter {name!r}; there are {', '.join(allowed)}.{hint}")
        checked[name] = parameters[name].check(value, where)
    return checked


def from_command_line(changes: list[str], parameters: dict[str, Parameter]) -> dict:
    """Reads what a command line gives as `name=value`.

    Args:
        changes: Such as `"k=40"`, `"prompt=The night was"`; a list as YAML has it, `"prompts=[I walked, The sea]"`, or
            a single value of it.
        parameters: What `declared` returned.

    Returns:
        The values, each of its parameter's type.

    Raises:
        UserError: If one is not of that form, its name is not declared or its value is not allowed.
    """
    where, given = "the command line", {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(
                f"{where}: {change!r} is not of the form name=value, such as k=40 or \"prompt='My trip was'\"."
            )
        if name in given:
            raise UserError(f"{where}: {name} is given twice.")
        given[name] = value
        if name in parameters and parameters[name].type.startswith("list["):
            given[name] = _list(value)
        elif name in parameters and parameters[name].type == "bool":
            given[name] = {"true": True, "false": False}.get(value.lower(), value)
    return validate(given, parameters, where)


def _list(value: str) -> list:
    if not value.startswith("["):
        return [value]
    try:
        items = yaml.safe_load(value)
    except yaml.YAMLError:
        items = None
    return items if isinstance(items, list) else [value]


def described(parameters: dict[str, Parameter]) -> str:
    """What can be set: a block for each parameter, with its type, limits, default and meaning, to be printed."""
    lines = []
    for name, parameter in parameters.items():
        if name in RUNNER_SETS:
            continue
        default = parameter.default
        shown = f"[{', '.join(map(str, default))}]" if isinstance(default, list) else str(default)
        lines += [f"  {name}: {parameter.type} = {shown}", f"      {parameter.help}; {parameter.allowed}"]
    return "\n".join(lines)


def read_experiment(file: Path) -> dict:
    """Reads the YAML file of an experiment: parameter names and values.

    Raises:
        UserError: If there is no such file, or it is not such a mapping.
    """
    if not file.is_file():
        raise UserError(
            f"There is no {paths.shown(file)}. Every profile's folder has a YAML file named like each notebook."
        )
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{paths.shown(file)} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content or {}, dict):
        raise UserError(f"{paths.shown(file)} must hold lines `parameter: value`.")
    return content or {}
