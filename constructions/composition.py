"""Composition: one network after another is a construction, and its proof is the two proofs.

The second network works on the tokens that the first leaves behind. Its slots and groups may have other names there,
and it may be claimed to solve another prompt than the first: the one that the first has made. What is proved is what
either network's proof proves, and that the tokens that the first leaves are those that the second starts from; whatever
else the first leaves behind must not disturb the second, and is claimed to stay as it is.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Container, Mapping
from dataclasses import field, fields, make_dataclass, replace
from functools import cache
from typing import Any, ClassVar, TypeAlias

from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import Layer
from constructions.parameters import Parameter
from constructions.prompt import Prompt
from constructions.renaming import Names, renamed
from constructions.stages import Handover, Index, Iterate, Loop, Relation, Single, Stage, State
from constructions.stream import Stream

PromptMade: TypeAlias = Callable[[Iterate, Prompt], Prompt]
"""From the first network's last iterate and the prompt to the prompt that the second network solves."""


class Composition(Construction):
    """Two networks, one after the other; made by ``composed``."""

    first_prototype: ClassVar[Construction]
    second_prototype: ClassVar[Construction]
    fields_of_first: ClassVar[Mapping[str, str]]
    fields_of_second: ClassVar[Mapping[str, str]]
    slots: ClassVar[Names]
    groups: ClassVar[Names]
    prompt_made: ClassVar[PromptMade]

    @property
    def first(self) -> Construction:
        """The first network, with this construction's parameters."""
        return _filled(self.first_prototype, self, self.fields_of_first)

    @property
    def second(self) -> Construction:
        """The second network, with this construction's parameters."""
        return _filled(self.second_prototype, self, self.fields_of_second)

    @property
    def depth(self) -> Size:
        return self.first.depth + self.second.depth

    # The algorithm: the first, then the second on the prompt that the first has made.

    def initial(self, prompt: Prompt) -> Iterate:
        start = self.first.initial(prompt)
        return self._pair(start, self.second.initial(self.second_prompt(start, prompt)))

    def predict(self, iterate: Iterate, prompt: Prompt) -> Block:
        first, second = _parts(iterate)
        return self.second.predict(second, self.second_prompt(first, prompt))

    def second_prompt(self, first: Iterate, prompt: Prompt) -> Prompt:
        """The prompt that the second network solves."""
        return type(self).prompt_made(first, prompt)

    def step(self, l: Index, iterate: Iterate, prompt: Prompt) -> Iterate:
        raise TypeError("a composition has the steps of two networks: see its stages")

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        raise TypeError("a composition has the layers of two networks: see its stages")

    def state(self, l: Index, iterate: Iterate, prompt: Prompt) -> State:
        raise TypeError("a composition has the states of two networks: see its stages")

    # The network.

    def embed(self, prompt: Prompt) -> Stream:
        """The first network's embedding, with the slots that only the second one has, empty."""
        embedded = self.first.embed(prompt)
        second = self.second.embed(self.second_prompt(self.first.initial(prompt), prompt))
        for group in second.groups:
            if (name := self.groups.get(group, group)) not in embedded.groups:
                raise ValueError(
                    f"the second network has the tokens {name!r}, but the first has {list(embedded.groups)}: say which "
                    "of these they are with groups="
                )
        both = {self.slots.get(slot, slot): rows for slot, rows in second.slots.items()}
        added = {slot: rows for slot, rows in both.items() if slot not in embedded.slots}
        return replace(embedded, slots={**embedded.slots, **added})

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        opening = self.first.stages(prompt)
        held = _state_after(opening[-1])
        start = self.second.embed(self.second_prompt(self.first.initial(prompt), prompt))
        region = {(self.slots.get(s, s), self.groups.get(g, g)) for s in start.slots for g in start.groups}

        def beside(first: Iterate, state: State | Stream) -> State:
            """What the second network claims, and what the first has left elsewhere."""
            left = {place: block for place, block in _table(held(first)).items() if place not in region}
            moved = {
                (self.slots.get(slot, slot), self.groups.get(group, group)): block
                for (slot, group), block in _table(state).items()
            }
            return {**left, **moved}

        def handed_over(iterate: Iterate) -> Iterate:
            first, _ = _parts(iterate)
            return self._pair(first, self.second.initial(self.second_prompt(first, prompt)))

        closing = self._closing(prompt, beside)
        return *(self._opened(stage) for stage in opening), Handover(handed_over), *closing

    def _opened(self, stage: Stage) -> Stage:
        """A stage of the first network, while the second waits."""

        def on_first(function: Callable[..., Iterate]) -> Callable[..., Iterate]:
            def moved(*arguments: Any) -> Iterate:
                *index, iterate = arguments
                first, second = _parts(iterate)
                return self._pair(function(*index, first), second)

            return moved

        if isinstance(stage, Handover):
            return replace(stage, step=on_first(stage.step))
        if isinstance(stage, Single):
            step = None if stage.step is None else on_first(stage.step)
            return replace(stage, step=step, state=lambda iterate: stage.state(_parts(iterate)[0]))
        return replace(stage, step=on_first(stage.step), state=lambda l, iterate: stage.state(l, _parts(iterate)[0]))

    def _closing(self, prompt: Prompt, beside: Callable[[Iterate, State | Stream], State]) -> list[Stage]:
        """The stages of the second network, on the prompt that the first has made."""

        def made(iterate: Iterate, number: int) -> tuple[Iterate, Any, Iterate]:
            first, second = _parts(iterate)
            return first, self.second.stages(self.second_prompt(first, prompt))[number], second

        def step(number: int) -> Callable[..., Iterate]:
            def moved(*arguments: Any) -> Iterate:
                *index, iterate = arguments
                first, stage, second = made(iterate, number)
                return self._pair(first, stage.step(*index, second))

            return moved

        def state(number: int) -> Callable[..., State]:
            def claimed(*arguments: Any) -> State:
                *index, iterate = arguments
                first, stage, second = made(iterate, number)
                return beside(first, stage.state(*index, second))

            return claimed

        closing: list[Stage] = []
        for number, stage in enumerate(self.second.stages(prompt)):
            if isinstance(stage, Handover):
                closing.append(replace(stage, step=step(number)))
            elif isinstance(stage, Single):
                layer = renamed(stage.layer, self.slots, self.groups)  # type: ignore[arg-type]  # it refuses others
                moved = None if stage.step is None else step(number)
                closing.append(replace(stage, layer=layer, state=state(number), step=moved))
            else:
                closing.append(replace(stage, layer=self._renamed(stage), state=state(number), step=step(number)))
        return closing

    def _renamed(self, stage: Loop) -> Callable[[Index], Layer]:
        return lambda l: renamed(stage.layer(l), self.slots, self.groups)  # type: ignore[arg-type]

    def read_out(self, stream: Stream) -> Block:
        slots, groups = _names_back(stream.slots, self.slots), _names_back(stream.groups, self.groups)
        table = {
            (slots[slot], groups[group]): block
            for (slot, group), block in stream.blocks.items()
            if slot in slots and group in groups
        }
        rows = {old: stream.slots[new] for new, old in slots.items()}
        sizes = {old: stream.groups[new] for new, old in groups.items()}
        return self.second.read_out(Stream(rows, sizes, table))

    # What is claimed of the iterates and assumed of the data.

    def relations(self, iterate: Iterate, prompt: Prompt) -> tuple[Relation, ...]:
        first, second = _parts(iterate)
        return (
            *self.first.relations(first, prompt),
            *self.second.relations(second, self.second_prompt(first, prompt)),
        )

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        assumed = self.second.hypotheses(prompt)
        if assumed and type(self).prompt_made is not the_same_prompt:
            raise ValueError(
                f"{type(self.second).__name__} assumes {assumed[0].name!r} of its prompt, which here is made by the "
                "first network: compose networks that assume nothing of the prompts that are made for them"
            )
        return (*self.first.hypotheses(prompt), *assumed)

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        return (*self.first.lemmas(prompt), *self.second.lemmas(prompt))

    # Iterates: the blocks of both, side by side.

    def _pair(self, first: Iterate, second: Iterate) -> Iterate:
        names = (*_names(self.first, first), *_names(self.second, second))
        made = _pair_type(names, _form(first), _form(second))  # type: ignore[arg-type]  # a class is hashable
        return made(*_blocks(first), *_blocks(second))


def the_same_prompt(first: Iterate, prompt: Prompt) -> Prompt:
    """The prompt itself: the first network has only moved it about."""
    return prompt


def composed(
    first: Construction,
    second: Construction,
    *,
    slots: Names | None = None,
    groups: Names | None = None,
    prompt_made: PromptMade = the_same_prompt,
) -> Composition:
    """The network ``first``, and after it the network ``second`` on the tokens that the first has left.

    A parameter that both have is called ``name_2`` in the second, and its symbol has a prime, as has its number of
    layers; and so on, where networks are composed again.

    Args:
        first, second: the networks; the layers of the second are made of attention, token maps and MLPs.
        slots, groups: from the names in the second network to those in the first; a name left out is the same in both.
            A slot that only the second has is added to the tokens, empty; its groups must all be the first's.
        prompt_made: the prompt that the second network is claimed to solve.

    Raises:
        ValueError: if two names become one, or the networks are meant for different numbers of targets.
    """
    for names in (slots or {}, groups or {}):
        if len(set(names.values())) < len(names):
            raise ValueError(f"{dict(names)} gives two names of the second network one name of the first")
    if first.targets != second.targets and "m" not in (first.targets, second.targets):
        raise ValueError(f"the networks are for {first.targets} and for {second.targets} targets: no prompt has both")
    taken = {f.name for f in fields(first)}  # type: ignore[arg-type]  # a construction is a dataclass
    own = {name: name for name in taken}
    others = {f.name: _unused(f.name, taken) for f in fields(second)}  # type: ignore[arg-type]
    declared_first = [f.metadata["parameter"] for f in fields(first) if "parameter" in f.metadata]  # type: ignore[arg-type]
    symbols = {p.symbol for p in declared_first} | {p.depth_symbol for p in declared_first}
    made: list[tuple[str, Any, Any]] = []
    values = {}
    for network, renaming in ((first, own), (second, others)):
        for declared in fields(network):  # type: ignore[arg-type]
            metadata = dict(declared.metadata)
            if renaming is others and "parameter" in metadata:
                metadata["parameter"] = _primed(metadata["parameter"], symbols)
            made.append((renaming[declared.name], declared.type, field(metadata=metadata)))
            values[renaming[declared.name]] = getattr(network, declared.name)
    namespace = {
        "first_prototype": first,
        "second_prototype": second,
        "fields_of_first": own,
        "fields_of_second": others,
        "slots": dict(slots or {}),
        "groups": dict(groups or {}),
        "prompt_made": staticmethod(prompt_made),
        "targets": second.targets if first.targets == "m" else first.targets,
        "extras": {**first.extras, **second.extras},
        "__doc__": f"{_title(first)} Then: {_title(second)}",
        "__module__": __name__,
    }
    name = f"{type(first).__name__}Then{type(second).__name__}"
    cls = make_dataclass(name, made, bases=(Composition,), namespace=namespace, frozen=True, kw_only=True, repr=False)
    return cls(**values)


def _primed(declared: Parameter, taken: set[str]) -> Parameter:
    """The parameter of the second network: primes where the first has its symbol or its number of layers."""
    symbol, layers = declared.symbol, declared.depth_symbol
    while symbol in taken:
        symbol += "'"
    while layers in taken:
        layers += "'"
    return replace(declared, symbol=symbol, depth_symbol=layers)


def _unused(name: str, taken: Container[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _filled(prototype: Construction, holder: Construction, names: Mapping[str, str]) -> Construction:
    values = {own: getattr(holder, name) for own, name in names.items()}
    return replace(prototype, **values)  # type: ignore[type-var]  # a construction is a dataclass


def _title(construction: Construction) -> str:
    return (type(construction).__doc__ or type(construction).__name__).splitlines()[0]


class _Pair:
    """The blocks of two iterates, side by side, each of a form of its own."""

    first_form: ClassVar[type[Any] | None]
    second_form: ClassVar[type[Any] | None]
    first_count: ClassVar[int]


@cache
def _pair_type(names: tuple[str, ...], first: Any, second: Any) -> type[Any]:
    """The named tuple of the blocks of two iterates; a form is None for a single block."""
    apart: list[str] = []
    for name in names:
        apart.append(_unused(name, apart))
    count = 1 if first is None else len(first._fields)
    held = namedtuple("Iterates", apart)  # type: ignore[misc]  # the names are those of the two networks
    return type("Iterates", (_Pair, held), {"first_form": first, "second_form": second, "first_count": count})


def _parts(iterate: Any) -> tuple[Iterate, Iterate]:
    """The iterates of the first and of the second network."""
    blocks, count = tuple(iterate), iterate.first_count
    return _formed(iterate.first_form, blocks[:count]), _formed(iterate.second_form, blocks[count:])


def _formed(form: type[Any] | None, blocks: tuple[Block, ...]) -> Iterate:
    return blocks[0] if form is None else form(*blocks)


def _form(iterate: Iterate) -> type[Any] | None:
    return None if isinstance(iterate, Block) else type(iterate)


def _blocks(iterate: Iterate) -> tuple[Block, ...]:
    return (iterate,) if isinstance(iterate, Block) else tuple(iterate)


def _names(construction: Construction, iterate: Iterate) -> tuple[str, ...]:
    return (construction.iterate_symbol,) if isinstance(iterate, Block) else tuple(iterate._fields)


def _names_back(names: Mapping[str, Size], new: Names) -> dict[str, str]:
    """From the stream's names to those of the second network; a name that means something else there is left out."""
    back = {value: key for key, value in new.items()}
    return {name: back.get(name, name) for name in names if name in back or name not in new}


def _state_after(stage: Stage) -> Callable[[Iterate], State | Stream | None]:
    """What a stage leaves behind, from the iterate."""
    if isinstance(stage, Handover):
        raise ValueError("a network must end with a layer, not with a handover")
    return stage.state if isinstance(stage, Single) else lambda iterate: stage.state(stage.times, iterate)


def _table(state: State | Stream | None) -> State:
    if state is None:
        raise ValueError(
            "a network without an invariant cannot be composed: the second one starts from what the first one claims "
            "to leave; write its state"
        )
    return state.blocks if isinstance(state, Stream) else state
