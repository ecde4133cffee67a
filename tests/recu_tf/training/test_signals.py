import signal
import threading

import pytest

from recu_tf.training.signals import SignalHandler


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_is_remembered_and_the_second_raises(number):
    before = signal.getsignal(number)
    with SignalHandler() as handler:
        assert handler.received is None
        signal.raise_signal(number)
        assert handler.received == number
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_do_not_change_the_handlers():
    before = signal.getsignal(signal.SIGTERM)
    inside = []

    def work():
        with SignalHandler():
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]
