"""Show a panel in JupyterLab, to try out prompts and samplers with a model that a notebook has loaded."""

import numbers

import ipywidgets as widgets
from IPython.display import HTML, display

from lib.core import progress
from lib.core.errors import UserError
from lib.core.records import Sample
from lib.evaluation import continuations
from lib.models import generation, samplers
from lib.report import html


def show(causal_lm, max_length: int, prompt: str = "My trip was", seed: int = 2024) -> None:
    """Show a panel that generates a text when its button is pressed. In a report run, show nothing.

    Args:
        causal_lm: The model.
        max_length: The number of tokens of a text, prompt included.
        prompt: The initial prompt.
        seed: The initial seed.
    """
    if not progress.in_report_run():
        display(Panel(causal_lm, max_length, prompt, seed).box)


class Panel:
    """The fields of the panel, and the action of its button. See `show`.

    Attributes:
        prompt: The field for the prompt.
        sampler: The list of samplers.
        fields: The fields for the options of the chosen sampler, by name.
        seed: The field for the seed.
        button: The button.
        output: The area that shows the text, or an error message.
        box: The widget with all of these.
    """

    def __init__(self, causal_lm, max_length: int, prompt: str, seed: int):
        self.causal_lm, self.max_length = causal_lm, max_length
        wide = {"layout": widgets.Layout(width="34em")}
        self.prompt = widgets.Text(prompt, description="Prompt", **wide)
        self.sampler = widgets.Dropdown(options=list(samplers.SAMPLERS), value="top_k", description="Sampler")
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
        """Show the fields for the options of the chosen sampler."""
        sampler = self.sampler.value
        self.fields = {
            name: self.field(name, optional=samplers.may_be_none(sampler, name))
            for name in samplers.effective_options(sampler)
        }
        self.field_row.children = tuple(self.fields.values())

    def field(self, name: str, optional: bool):
        """Make a field for an option. It starts at a value without effect if `samplers` has one, else at the example.

        Args:
            name: A key of `samplers.OPTIONS`.
            optional: Whether the option may be None, which then has the same effect as its highest value.
        """
        option = samplers.OPTIONS[name]
        highest = option.highest or self.causal_lm.preprocessor.tokenizer.vocabulary_size()
        value = highest if optional else option.without_effect or option.example
        make = widgets.BoundedIntText if option.kind is numbers.Integral else widgets.BoundedFloatText
        whole_name = {"description_width": "initial"}
        limits = {"min": option.lowest, "max": highest, "step": option.step}
        return make(min(value, highest), **limits, description=name, style=whole_name)

    def generate(self) -> None:
        """Generate a text and show it as the reports do, or show an error message of one line."""
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
                display(HTML(html.samples(samples, by="label", marked=True)))
        finally:
            self.button.disabled = False

    def samples(self) -> list[Sample]:
        """Generate the text that the fields ask for, and judge it."""
        prompt, seed = self.prompt.value, self.seed.value
        if not prompt.strip():
            raise UserError("The prompt is empty; write one.")
        chosen = {name: field.value for name, field in self.fields.items()}
        sampler = samplers.make_sampler(self.sampler.value, seed, **chosen)
        label = samplers.describe(sampler)
        samples = generation.generate_samples(
            self.causal_lm, [prompt], sampler, self.max_length, 1, seed, label, keep_going=True
        )
        return continuations.records(continuations.judge(samples))
