"""The network that a script has trained in this process, for the tests and the benchmarks."""


def restored(net):
    """Return a session on the graph of a script's names, with the weights that its run left.

    net has the names as attributes. The script's functions, which look up `sess`, use it from now.
    """
    with net.cost.graph.as_default():
        sess = net.tf.Session()
        net.tf.train.Saver().restore(sess, net.tf.train.latest_checkpoint(net.run_dir))
    net.end.__globals__["sess"] = sess
    return sess
