"""A pytest plugin: what nbval's run of a notebook printed and drew is kept, so that the book need not run it again.

`-p latent_dynamics.workshop.keeping_outputs --keep-outputs FOLDER`. nbval itself forgets what it does not compare, and
the state of widgets. A notebook of which a cell failed, or was not run, leaves nothing.
"""

import copy
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbval.plugin import IPyNbCell


def pytest_addoption(parser):
    parser.addoption("--keep-outputs", metavar="FOLDER", help="where executed notebooks are written")


class Recorder:
    """Hears what the kernel of a notebook says while nbval runs its cells, and writes it down as a book needs it."""

    def __init__(self, file):
        self.path, self.begun, self.whole = Path(file.path), time.monotonic(), True
        self.notebook = copy.deepcopy(file.nb)
        self.client = NotebookClient(self.notebook, record_timing=False)
        self.client.reset_execution_trackers()
        self.left = [number for number, cell in enumerate(self.notebook.cells) if cell.cell_type == "code"]
        self.hear, file.get_kernel_message = file.get_kernel_message, self.message

    def message(self, *args, **kwargs):
        """What nbval asks the kernel for, on its way to nbval."""
        message = self.hear(*args, **kwargs)
        try:
            self.client.process_message(message, self.notebook.cells[self.number], self.number)
        except CellExecutionComplete:
            pass  # how nbclient says that a cell is done
        return message

    def begin(self):
        """Turn to the next cell of code."""
        self.number = self.left.pop(0)
        self.notebook.cells[self.number].outputs = []
        self.client.clear_before_next_output = False  # as nbclient itself begins a cell

    def write(self, folder):
        """Write the executed notebook, unless something went wrong in it."""
        if self.whole and not self.left:
            self.client.set_widgets_metadata()
            self.notebook.metadata["execution_seconds"] = time.monotonic() - self.begun
            folder.mkdir(parents=True, exist_ok=True)
            nbformat.write(self.notebook, folder / self.path.name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    folder = item.config.getoption("--keep-outputs")
    if not folder or not isinstance(item, IPyNbCell):
        return (yield)
    recorder = vars(item.parent).setdefault("_recorder", None) or Recorder(item.parent)
    item.parent._recorder = recorder
    recorder.begin()
    try:
        return (yield)
    except BaseException:
        recorder.whole = False
        raise
    finally:
        if not recorder.left:
            recorder.write(Path(folder))
