"""The window: a button, a heartbeat, perhaps a turtle; and the ways to do the job beside it."""

import asyncio
import multiprocessing
import queue
import threading
import time
import tkinter
from collections.abc import Callable
from typing import cast

from concurtrace.workload import Record, Result, Work

from .job import STEPS, keys, piece, pieces, put_pieces, send_pieces

POLL_MS = 10
"""How often the window looks for results."""
STEP_PIXELS = 4
FLOOD = 20
"""How many events the fault sends with each piece."""


class Window:
    """A window on the display of the work; it closes when everything is done."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.root = tkinter.Tk(screenName=work.services["display"])
        self.heart = tkinter.Label(self.root, text="0")
        self.heart.pack()
        self.button = tkinter.Button(self.root, text="Compute")
        self.button.pack()
        self.records: list[Record] = []
        self.beats = 0
        self.gap_s = 0.0
        self._beaten_at = time.monotonic()
        self._waiting_for = {"job"}
        if work.variant == "canvas":
            self._waiting_for.add("turtle")
            self.turtle = Turtle(self, keys(work))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for."""
        return not self._waiting_for

    def done_with(self, part: str) -> None:
        """Note that a part has been done; the last one ends the main loop."""
        self._waiting_for.discard(part)
        if self.is_done:
            self.root.quit()

    def run(self, compute: Callable[["Window"], None]) -> Result:
        """Press the button, run Tk's main loop until everything is done, and close."""
        try:
            self.button.configure(command=lambda: compute(self))
            self.beat()
            self.root.after(0, self.button.invoke)
            self.root.mainloop()
            return self.result()
        finally:
            self.root.destroy()

    async def run_in_loop(self) -> Result:
        """Do the same with asyncio's loop: Tk has its turn between pieces of the job."""
        try:
            self.button.configure(command=lambda: jobs.append(asyncio.create_task(self.job())))
            jobs: list[asyncio.Task[None]] = []
            self.beat()
            self.button.invoke()
            while not self.is_done:
                self.root.update()
                # Nobody tells asyncio what happens at the display, so one has to look.
                await asyncio.sleep(POLL_MS / 1000)
            await asyncio.gather(*jobs)
            return self.result()
        finally:
            self.root.destroy()

    async def job(self) -> None:
        """Do the job, and let others run after each piece."""
        for index in range(self.work.size):
            self.records.append(piece(self.work, index))
            await asyncio.sleep(0)
        self.done_with("job")

    def beat(self) -> None:
        """Draw a heartbeat, note how long the last one is ago, and ask for the next."""
        now = time.monotonic()
        self.gap_s = max(self.gap_s, now - self._beaten_at)
        self._beaten_at = now
        self.beats += 1
        self.heart.configure(text=str(self.beats))
        self.root.after(self.work.number("heartbeat-ms"), self.beat)

    def result(self) -> Result:
        """Return what was computed, and how the window fared."""
        gap_s = max(self.gap_s, time.monotonic() - self._beaten_at)
        observed = {"heartbeats": self.beats, "gap-max-ms": round(gap_s * 1000, 1)}
        if self.work.variant == "canvas":
            self.records.append(("turtle", *self.turtle.place))
        return Result(self.records, observed)


class Turtle:
    """Follows keys; they are sent as virtual events, which need no keyboard and no focus."""

    def __init__(self, window: Window, to_press: list[str]) -> None:
        self.window = window
        self.place = (0, 0)
        self._to_press = to_press
        self.canvas = tkinter.Canvas(window.root, width=400, height=300)
        self.canvas.pack()
        self._shape = self.canvas.create_oval(196, 146, 204, 154)
        for key in STEPS:
            self.canvas.event_add(f"<<{key}>>", f"<{key}>")
            self.canvas.bind(f"<<{key}>>", lambda _event, key=key: self.step(key))  # type: ignore[misc]
        # A window that is not to be seen yet hears nothing.
        self.canvas.wait_visibility()
        window.root.after(0, self.press_next)

    def press_next(self) -> None:
        """Press a key, and ask for the next turn; be done when there is none left."""
        if not self._to_press:
            self.window.done_with("turtle")
            return
        self.canvas.event_generate(f"<<{self._to_press.pop(0)}>>")
        self.window.root.after(1, self.press_next)

    def step(self, key: str) -> None:
        """Go a step."""
        right, down = STEPS[key]
        self.place = (self.place[0] + right, self.place[1] + down)
        self.canvas.move(self._shape, right * STEP_PIXELS, down * STEP_PIXELS)


def compute_at_once(window: Window) -> None:
    """Do the job in the callback."""
    window.records += pieces(window.work)
    window.done_with("job")


def compute_in_thread(window: Window) -> None:
    """Let a thread do it; only this one may touch Tk."""
    done: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
    target = touch_and_put if window.work.fault == "tk-from-thread" else put_and_leave
    thread = threading.Thread(target=target, args=(window, done), name="job")
    thread.start()
    if window.work.fault in ("blocked", "tk-from-thread"):
        thread.join()

    def look() -> None:
        while not done.empty():
            one = done.get()
            if one is None:
                thread.join()
                window.done_with("job")
                return
            window.records.append(one)
            if window.work.fault == "flooded":
                flood(window, one)
        window.root.after(POLL_MS, look)

    look()


def put_and_leave(window: Window, done: "queue.SimpleQueue[Record | None]") -> None:
    """Do the job, and touch nothing of the window's."""
    put_pieces(window.work, done)


def touch_and_put(window: Window, done: "queue.SimpleQueue[Record | None]") -> None:
    """Do the job, and tell the window so, as if it were anybody's."""
    window.button.configure(text="Computing")
    put_pieces(window.work, done)


def flood(window: Window, record: Record) -> None:
    """Send Tk word of a piece, far too often: timers, such as the heartbeat's, come after that."""
    window.button.bind("<<Piece>>", lambda _event: window.button.configure(text=str(record)))
    for _ in range(FLOOD):
        window.button.event_generate("<<Piece>>", when="tail")


def compute_in_process(window: Window) -> None:
    """Let a process do it."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(
        target=send_pieces, args=(window.work, theirs), name="job", daemon=True
    )
    process.start()
    theirs.close()

    def look() -> None:
        while window.work.fault == "blocked" or ours.poll():
            one = cast("Record | None", ours.recv())
            if one is None:
                ours.close()
                process.join()
                window.done_with("job")
                return
            window.records.append(one)
        window.root.after(POLL_MS, look)

    look()
