"""A panel for JupyterLab, to try out prompts and samplers with a model that a notebook has loaded."""

import inspect
import numbers

import ipywidgets as widgets
from IPython.display import display

from lib.core import progress
from lib.core.errors import UserError
from lib.evaluation import continuations
from lib.models import generation
from lib.report import recorder

# The lowest and the highest value of a sampler's option, and a step. All are allowed by `samplers.RANGES`; where that
# has no highest value, one that still makes sense stands here (None: the number of tokens that the model knows).
LIMITS = {
    "k": (1, None, 1),
    "p": (0.01, 1.0, 0.05),
    "temperature": (0.01, 10.0, 0.1),
    "num_beams": (1, 50, 1),
    "alpha": (0.0, 1.0, 0.1),
    "n": (1, 100, 1),
    "penalty": (1.0, 10.0, 0.1),
}


def show(causal_lm, max_length: int, prompt: str = "My trip was", seed: int = 2024) -> None:
    """Shows a panel that generates a text at the press of a button. In a report run nothing is shown.

    Args:
        causal_lm: The model.
        max_length: Tokens in a text, the prompt's included.
        prompt: What the field for the prompt holds at first.
        seed: What the field for the seed holds at first.
    """
    if not progress.in_report_run():
        display(Panel(causal_lm, max_length, prompt, seed).box)


def options(sampler: str) -> list[str]:
    """The options of a sampler that make a difference to what it chooses."""
    import keras_nlp

    from lib.models import samplers

    sampler_class = generation.sampler_classes()[sampler]
    names = [name for name in inspect.signature(sampler_class).parameters if name in LIMITS]
    # The most probable token stays the most probable one at every temperature.
    if not issubclass(sampler_class, keras_nlp.samplers.GreedySampler | samplers.AdjustingSampler):
        names.append("temperature")
    return names


class Panel:
    """The panel's fields and what its button does. See `show`.

    Attributes:
        prompt: The field for the prompt.
        sampler: The list of samplers.
        fields: The fields for the options of the sampler that is chosen, by name.
        seed: The field for the seed.
        button: The button.
        output: Where the text, or what was wrong, is shown.
        box: All of these.
    """

    def __init__(self, causal_lm, max_length: int, prompt: str, seed: int):
        self.causal_lm, self.max_length = causal_lm, max_length
        wide = {"layout": widgets.Layout(width="34em")}
        self.prompt = widgets.Text(prompt, description="Prompt", **wide)
        self.sampler = widgets.Dropdown(
            options=list(generation.sampler_classes()), value="top_k", description="Sampler"
        )
        self.seed = widgets.BoundedIntText(seed, min=0, max=2**31 - 1, description="Seed")
        self.button = widgets.Button(description="Generate", button_style="primary")
        self.output = widgets.Output()
        self.fields: dict = {}
        self.field_row = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap"))
        self.choose()
        self.sampler.observe(lambda _: self.choose(), "value")
        self.button.on_click(lambda _: self.generate())
        rows = [self.prompt, self.sampler, self.field_row, widgets.HBox([self.seed, self.button]), self.output]
        self.box = widgets.VBox(rows)

    def choose(self) -> None:
        """Puts the fields of the chosen sampler in the place of the others."""
        parameters = inspect.signature(generation.sampler_classes()[self.sampler.value]).parameters
        self.fields = {
            name: self.field(name, optional=name in parameters and parameters[name].default is None)
            for name in options(self.sampler.value)
        }
        self.field_row.children = tuple(self.fields.values())

    def field(self, name: str, optional: bool):
        """A field for an option. An optional one begins with all tokens, which is to do without."""
        from lib.models import samplers

        kind, _, _, example = samplers.RANGES[name]
        low, high, step = LIMITS[name]
        high = high or self.causal_lm.preprocessor.tokenizer.vocabulary_size()
        value = high if optional else 1.0 if name == "temperature" else example
        make = widgets.BoundedIntText if kind is numbers.Integral else widgets.BoundedFloatText
        whole_name = {"description_width": "initial"}
        return make(min(value, high), min=low, max=high, step=step, description=name, style=whole_name)

    def generate(self) -> None:
        """Generates a text and shows it as the pages do, or says in one line what is wrong."""
        self.button.disabled = True
        self.output.clear_output()
        try:
            with self.output:
                try:
                    samples = self.samples()
                except UserError as error:
                    self.output.clear_output(wait=True)
                    print(error)
                    return
                self.output.clear_output(wait=True)
                recorder.show_side_by_side(samples, by="label", marked=True)
        finally:
            self.button.disabled = False

    def samples(self):
        """The text that the fields ask for, judged: a row as `recorder.show_side_by_side` takes it."""
        prompt, seed = self.prompt.value, self.seed.value
        if not prompt.strip():
            raise UserError("The prompt is empty; write one.")
        chosen = {name: field.value for name, field in self.fields.items()}
        sampler = generation.make_sampler(self.sampler.value, seed, **chosen)
        label = generation.describe(sampler)
        samples = generation.generate_samples(
            self.causal_lm, [prompt], sampler, self.max_length, 1, seed, label, keep_going=True
        )
        return continuations.judge(samples)
