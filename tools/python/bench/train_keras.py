"""Images a second of Keras training the seed network: python -m bench.train_keras --threads 2.

TensorFlow backend as installed (oneDNN on), random data in memory, batch 64, Adam, dropout on, sparse cross-entropy
through fit; one JSON line. A first fit compiles and is not counted.
"""

import argparse
import json
import os
import time

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from zoo import keras_nets  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    keras.utils.set_random_seed(1)
    model = keras_nets.build("seed", 1)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    random = np.random.default_rng(1)
    count = arguments.batch * arguments.steps
    images = random.random((count, 28, 28, 1), np.float32)
    labels = random.integers(10, size=count)
    model.fit(images[:arguments.batch * 10], labels[:arguments.batch * 10], arguments.batch, verbose=0)
    start = time.perf_counter()
    history = model.fit(images, labels, arguments.batch, verbose=0)
    seconds = time.perf_counter() - start
    print(json.dumps({
        "framework": "keras", "version": keras.__version__, "backend": f"tensorflow {tf.__version__}", "layout": "nhwc",
        "threads": arguments.threads, "batch": arguments.batch, "steps": arguments.steps,
        "images_per_second": round(count / seconds, 1), "loss": round(history.history["loss"][-1], 6),
    }))


if __name__ == "__main__":
    main()
