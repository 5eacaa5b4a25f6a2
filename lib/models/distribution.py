"""Divide a training among several GPUs of one machine, with `keras.distribution`, which works on JAX.

Where a GPU can hold the model, each has all of its weights and a share of the texts of a step (data parallelism). Else
the matrices themselves are divided too (tensor parallelism; Shoeybi et al., Megatron-LM, 2019, section 3):

- queries, keys and values by heads, and the matrix after the attention likewise; if the heads cannot be divided, as the
  25 of `gpt2_extra_large_en`, these matrices are divided by the width of the model, and put together for a product;
- the feed-forward layers by their inner width;
- embeddings, norms and the other biases are whole on every GPU. The vocabulary's size is odd.

KerasHub 0.32 has no such layout for GPT-2, and that for Llama has its axes exchanged (keras-hub #2827).

`packing` divides the texts of a step, in training and in evaluation. Keras lays all data whole on every GPU, since its
own layout fails for a batch that the number of GPUs does not divide. So what `packing` does not divide, such as the
scoring of given texts, is computed on each GPU alike; `decoding` generates on the first one.
"""

import jax
import keras
from jax.sharding import PartitionSpec

from lib.models.memory import WHOLE, Division

REPLICAS, MODEL = "batch", "model"  # the axes of the mesh of devices
BY_HEADS = {"kernel": (None, MODEL, None), "bias": (MODEL, None)}  # of queries, keys and values
BY_WIDTH = {"kernel": (MODEL, None, None), "bias": (None, None)}


class _WholeData:
    """Lays input data whole on every device."""

    def get_data_layout(self, data_shape):
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


class DataParallel(_WholeData, keras.distribution.DataParallel):
    """Keras' data parallelism, for data that `packing` divides."""


class ModelParallel(_WholeData, keras.distribution.ModelParallel):
    """Keras' model parallelism, for data that `packing` divides."""


def set_up(division: Division, heads: tuple[int, ...] = ()) -> None:
    """Distribute the variables that are made from now on, or make them as ever on a single device.

    Args:
        division: How many devices share the texts, and how many share the matrices.
        heads: The numbers of attention heads, if matrices are shared: those of queries, and of keys and values.
    """
    if division == WHOLE:
        if isinstance(keras.distribution.distribution(), _WholeData):  # as in a notebook that is run again
            keras.distribution.set_distribution(None)
        return
    devices = keras.distribution.list_devices()[: division.replicas * division.model]
    if division.model == 1:
        keras.distribution.set_distribution(DataParallel(devices=devices, auto_shard_dataset=False))
        return
    shape = division.replicas, division.model
    mesh = keras.distribution.DeviceMesh(shape, (REPLICAS, MODEL), devices)
    layout = layout_map(mesh, by_heads=not any(number % division.model for number in heads))
    keras.distribution.set_distribution(ModelParallel(layout_map=layout, auto_shard_dataset=False))


def layout_map(mesh, by_heads: bool) -> keras.distribution.LayoutMap:
    """Return how the matrices of GPT-2 and Llama are divided, by patterns of the paths of their variables.

    Args:
        mesh: A `DeviceMesh` with an axis `MODEL`.
        by_heads: Whether the attention's matrices are divided by heads; else by the width of the model.
    """
    layout = keras.distribution.LayoutMap(mesh)
    attention = BY_HEADS if by_heads else BY_WIDTH
    for name, axes in attention.items():
        layout[rf".*transformer_layer_\d+/.*attention/(query|key|value)/{name}"] = axes
    output = (MODEL, None, None) if by_heads else (None, None, MODEL)
    layout[r".*transformer_layer_\d+/.*attention/attention_output/kernel"] = output
    layout[r".*transformer_layer_\d+/feedforward_(intermediate|gate)_dense/kernel"] = (None, MODEL)
    layout[r".*transformer_layer_\d+/feedforward_intermediate_dense/bias"] = (MODEL,)
    layout[r".*transformer_layer_\d+/feedforward_output_dense/kernel"] = (MODEL, None)
    return layout


def division() -> Division:
    """Return how the variables that are made now are divided."""
    chosen = keras.distribution.distribution()
    if not isinstance(chosen, _WholeData):
        return WHOLE
    sizes = dict(zip(chosen.device_mesh.axis_names, chosen.device_mesh.shape, strict=True))
    return Division(sizes.get(REPLICAS, 1), sizes.get(MODEL, 1))


def on_replicas(function, weights, shares, seed=None):
    """Call a function on each replica with its share of the inputs. The gradients of the weights are summed over all.

    Args:
        function: A function of weights, of a share and of a seed, which returns an array.
        weights: Arrays that are whole on every replica.
        shares: Arrays whose first axis is that of the replicas.
        seed: The data of a random key, from which each replica gets a seed of its own; or None.

    Returns:
        The results, `(replicas, ...)`. With a single replica, the inputs and the result have no such axis.
    """
    chosen = division()
    if chosen.replicas == 1:
        return function(weights, shares, seed)

    def one(weights, shares, seed):
        if seed is not None:
            key = jax.random.fold_in(jax.random.wrap_key_data(seed), jax.lax.axis_index(REPLICAS))
            seed = jax.random.key_data(key)
        return function(weights, jax.tree.map(lambda part: part[0], shares), seed)[None]

    return jax.shard_map(
        one,
        mesh=keras.distribution.distribution().device_mesh.backend_mesh,
        in_specs=(PartitionSpec(), PartitionSpec(REPLICAS), PartitionSpec()),
        out_specs=PartitionSpec(REPLICAS),
        axis_names={REPLICAS},
        check_vma=False,  # the kernels of `packed_attention` do not tell over which axes their results vary
    )(weights, shares, seed)


def on_first_device(arrays):
    """Return arrays that are whole on every device as arrays of the first one, without copies.

    A program of such arrays runs on that device alone. Where devices share matrices, the arrays stay as they are.
    """
    chosen = division()
    if chosen.replicas == 1 or chosen.model > 1:
        return arrays
    return jax.tree.map(lambda array: array.addressable_data(0), arrays)
