"""How XLA and TensorFlow compile in tests."""

# In a third of the time, and in one thread, since tests run side by side. What it computes is the same.
QUICKLY = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_multi_thread_eigen=false"
)


def tensorflow_quickly() -> None:
    """Let TensorFlow run graphs as they are written: improving them takes longer than it saves on a tiny model."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def read_flags() -> None:
    """Have TensorFlow's XLA read XLA_FLAGS, which it does when it first compiles."""
    import tensorflow as tf

    tf.function(lambda: tf.ones(1) + 1, jit_compile=True)()
