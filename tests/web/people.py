"""The three people of the end-to-end tests, each at their own page."""

from io import BytesIO

from PIL import Image
from playwright.sync_api import Page, expect

from tests.web.browsers import Visitor

CAMERA_PX = (640, 480)


def photograph(*things: Image.Image) -> bytes:
    """What a camera sees of things beside each other, as a JPEG."""
    picture = Image.new("RGB", CAMERA_PX, (90, 94, 92))
    room = CAMERA_PX[0] // len(things)
    for place, thing in enumerate(things):
        seen = thing.convert("RGB")
        seen.thumbnail((min(room - 20, 400),) * 2)
        picture.paste(seen, (place * room + (room - seen.width) // 2, 40))
    content = BytesIO()
    picture.save(content, "JPEG", quality=90)
    return content.getvalue()


class Registrar:
    """At the counter."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.open("/counter")
        self.page.locator(".signin .button").click()

    def issue(self) -> str:
        """A permit for a made-up person, who has this citizen ID number."""
        self.page.locator("#new").click()
        self.page.locator("#made-up").click()
        citizen: str = self.page.locator("#issue [name=citizen_id_number]").input_value()
        self.page.locator("#issue .button:not(.button--quiet)").click()
        expect(self.track("physical")).to_be_visible()
        return citizen

    def find(self, number: str) -> None:
        """By the person's number or the permit's."""
        self.page.locator("#citizen").fill(number)
        self.page.locator("#find .button").first.click()
        expect(self.track("physical")).to_be_visible()

    def act(self, name: str) -> None:
        self.page.locator(f"[data-action={name}]").click()

    def report_loss(self, since: str = "") -> None:
        self.ask("report_loss")
        self.page.locator("#d-lost_on").fill(since)
        self.send()

    def ask(self, name: str) -> None:
        """The command's form, which stays open until it is recorded."""
        if not self.page.locator("#dialog").is_visible():
            self.act(name)
        expect(self.page.locator("#dialog")).to_be_visible()

    def send(self) -> None:
        self.page.locator("#dialog-send").click()

    def confirm(self) -> None:
        """The second look, before what can't be undone."""
        self.page.locator("#d-confirmed").fill(self.number()[-4:])
        self.send()

    def track(self, name: str):
        return self.page.locator(f"#track-{name}")

    def serial(self, name: str):
        return self.track(name).locator("[data-fact=card_serial]")

    def number(self) -> str:
        return self.page.locator(".summary__number").inner_text()


class IdCardCounter:
    """At the counter for first identity cards."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.open("/counter/id-cards")
        self.page.locator(".signin .button").click()
        expect(self.page.locator("[data-list=overdue]")).to_be_visible()

    def form(self) -> None:
        """Filled in for a made-up person, the papers not yet ticked."""
        self.page.locator("#tab-form").click()
        self.page.locator("#made-up").click()

    def tick(self, *names: str) -> None:
        for name in names:
            self.page.locator(f"[name={name}]").check()

    def lines(self, state: str):
        return self.page.locator(f"#checklist [data-state={state}]")

    def accept(self) -> str:
        """The receipt number that the applicant is given."""
        self.page.locator("#panel-form .button--wide").click()
        number = self.page.locator("#receipt-number")
        expect(number).to_be_visible()
        return number.inner_text()

    def open(self, receipt: str) -> None:
        self.page.locator("#tab-work").click()
        self.page.locator("#receipt").fill(receipt)
        self.page.locator("#find .button").click()
        expect(self.page.locator("#opened .receipt__number")).to_have_text(receipt)

    def step(self, what: str) -> None:
        self.page.locator(f"[data-step={what}]").click()


class Investigator:
    """With a case, and one permit open."""

    def __init__(self, visitor: Visitor, permit_number: str) -> None:
        self.page = visitor.open(f"/audit#{permit_number}")
        self.page.locator(".signin .button").click()
        expect(self.page.locator("#state .then")).to_be_visible()

    def turn(self, dial: str, instant: str) -> None:
        """``at`` or ``known``, to a time of day in Shanghai."""
        field = self.page.locator(f"#{dial}-text")
        field.fill(instant)
        field.dispatch_event("change")

    def choose(self, *fields: str) -> None:
        """Fields of the holder to open."""
        self.page.locator(".opening summary").click()
        for field in fields:
            self.page.locator(f"#disclose [value='{field}']").check()

    def status(self, track: str):
        return self.page.locator(f"[data-track={track}] .chip").first


class Holder:
    """With a phone."""

    def __init__(self, visitor: Visitor, citizen_id_number: str) -> None:
        self.page = visitor.open("/me")
        self.page.locator("#signin-citizen").fill(citizen_id_number)
        self.page.locator("#signin form .button").click()

    def claim(self) -> None:
        """After saying that the details are right."""
        self.page.locator("#compare").click()
        self.page.locator("#right").check()
        self.page.locator("#claim").click()

    def code(self) -> str:
        """The address in the QR code on the screen."""
        self.page.bring_to_front()
        shown = self.page.locator("#qr[data-url]")
        expect(shown.locator("svg")).to_be_visible()
        return str(shown.get_attribute("data-url"))

    def code_other_than(self, before: str) -> str:
        """The one that has taken its place."""
        self.page.bring_to_front()
        self.page.locator(f'#qr[data-url]:not([data-url="{before}"])').wait_for()
        return self.code()

    def screen(self) -> Image.Image:
        """The live code as it is seen."""
        return Image.open(BytesIO(self.page.locator(".code-frame").screenshot()))

    def photograph(self) -> bytes:
        """What a camera sees that is held before the screen."""
        return photograph(self.screen())


class Checker:
    """An officer."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.open("/verify")
        self.page.locator("#signin .button").click()
        self.scenario("patrol_inspection")

    def scenario(self, name: str) -> None:
        self.page.bring_to_front()
        self.page.locator(f"input[value={name}]").check()

    def scan(self) -> Page:
        self.page.locator("#tab-camera").click()
        self.page.locator("#camera").click()
        return self._answered()

    def type_code(self, code: str) -> Page:
        self.page.locator("#tab-typed").click()
        self.page.locator("#code").fill(code)
        self.page.locator("#panel-typed .button").click()
        return self._answered()

    def type_card(self, number: str, serial: int) -> Page:
        self.page.locator("#tab-card").click()
        self.page.locator("#number").fill(number)
        self.page.locator("#serial").fill(str(serial))
        self.page.locator("#panel-card .button").click()
        return self._answered()

    def list(self, *lines: str) -> None:
        """Several cards at once."""
        self.page.locator("#tab-batch").click()
        self.page.locator("#batch-lines").fill("\n".join(lines))
        self.page.locator("#batch-send").click()
        expect(self.page.locator("#batch-rows tr")).to_have_count(len(lines))

    def _answered(self) -> Page:
        self.page.locator("#answer[open]").wait_for()
        return self.page

    def verdict(self) -> tuple[str, str]:
        """Of the answer on the screen, which is closed: what kind it is, and the word on it."""
        answer = self.page.locator("#answer[open]")
        said = str(answer.get_attribute("data-kind")), answer.locator(".answer__word").inner_text()
        self.page.locator("#again").click()
        expect(answer).to_have_count(0)
        return said
