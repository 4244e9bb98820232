"""Networks of one layer, which runs the algorithm's one step."""

from constructions.block import Size
from constructions.construction import Construction
from constructions.prompt import Prompt
from constructions.stages import Single, Stage


class OneLayer(Construction):
    """A construction whose layer 0 is the whole network: it takes the initial iterate, and no other, to the next."""

    @property
    def depth(self) -> Size:
        return 1

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        return (
            Single(
                layer=self.layer(0, prompt),
                step=lambda iterate: self.step(0, iterate, prompt),
                state=lambda iterate: self.state(1, iterate, prompt),
            ),
        )
