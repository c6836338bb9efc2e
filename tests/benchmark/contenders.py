"""The classifier as people would write it today: Keras 3 (on TensorFlow or JAX), or PyTorch.

    python contenders.py keras|torch STEPS LR none|cosine SEED

Same images, batches, number of units and steps, optimizer, learning rate and decay as
mnist_lstm_classifier.py; each library's own initial weights and usual way of training. It prints
that script's lines.
"""

import sys
from pathlib import Path

import numpy as np

kind, steps, lr, decay, seed = sys.argv[1:]
steps, lr, seed = int(steps), float(lr), int(seed)
batch_size, n_step, n_input, n_hidden, n_classes = 128, 28, 28, 128, 10

with np.load(Path(__file__).resolve().parents[2] / "data" / "mnist.npz") as npz:
    x_train, y_train = npz["x_train"][5000:], npz["y_train"][5000:].astype(np.int64)
    x_test, y_test = npz["x_test"].astype(np.float32) / 255, npz["y_test"].astype(np.int64)
np.random.seed(seed)
epochs = 1 + steps * batch_size // len(x_train)
order = np.concatenate([np.random.permutation(len(x_train)) for _ in range(epochs)])
order = order[: steps * batch_size].reshape(steps, batch_size)


def tell(step, loss, accuracy):
    """Print a line of the article's every 10 steps."""
    if step % 10 == 0:
        line = f"Iter {step * batch_size}, Minibatch Loss= {loss:.6f}, "
        print(line + f"Training Accuracy= {accuracy:.5f}", flush=True)


def keras():
    import keras

    keras.utils.set_random_seed(seed)
    net = keras.Sequential(
        [
            keras.layers.Input((n_step, n_input)),
            keras.layers.LSTM(n_hidden),
            keras.layers.Dense(n_classes),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    falling = keras.optimizers.schedules.CosineDecay(lr, steps)
    adam = keras.optimizers.Adam(falling if decay == "cosine" else lr)
    net.compile(adam, loss, metrics=["accuracy"])
    lines = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: tell(batch + 1, logs["loss"], logs["accuracy"])
    )
    x, y = x_train[order.ravel()].astype(np.float32) / 255, y_train[order.ravel()]
    net.fit(x, y, batch_size, shuffle=False, verbose=0, callbacks=[lines])
    return net.predict(x_test, batch_size=1000, verbose=0).argmax(1)


def torch():
    import torch

    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(n_input, n_hidden, batch_first=True)
    output_layer = torch.nn.Linear(n_hidden, n_classes)
    optimizer = torch.optim.Adam([*lstm.parameters(), *output_layer.parameters()], lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step, batch in enumerate(order, 1):
        x = torch.from_numpy(x_train[batch].astype(np.float32) / 255)
        y = torch.from_numpy(y_train[batch])
        pred = output_layer(lstm(x)[0][:, -1])
        cost = torch.nn.functional.cross_entropy(pred, y)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        if decay == "cosine":
            falling.step()
        if step % 10 == 0:
            tell(step, cost.item(), (pred.argmax(1) == y).float().mean().item())
    with torch.no_grad():
        parts = torch.from_numpy(x_test).split(1000)
        return np.concatenate([output_layer(lstm(x)[0][:, -1]).argmax(1).numpy() for x in parts])


answer = {"keras": keras, "torch": torch}[kind]()
print(f"Testing Accuracy (all {len(y_test)} images): {np.mean(answer == y_test):.6f}")
