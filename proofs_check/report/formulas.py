r"""LaTeX of claims as MathML, which every current browser typesets without a script or a font of ours.

A small recursive-descent parser for the mathematics that statements of claims are written in: scripts, fractions,
roots, accents, delimiters, large operators, alphabets, cases, matrices and alignments. It emits the elements of MathML
Core only (for instance, alphabets become Unicode characters, because ``mathvariant`` is no longer honoured). Anything
it does not know is shown as the LaTeX source in ``<code>``: a reader then sees the true statement, plainly set, instead
of a wrong one.

Long formulas are broken before relations and sums of their outermost level, which MathML itself does not do.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from markupsafe import Markup, escape

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
BREAK_FROM = 60
"""Length of the LaTeX source from which a displayed formula may be broken."""

Role = Literal["ordinary", "operator", "open", "close", "binary", "relation", "text", "space"]


class UnsupportedLatexError(ValueError):
    """The source uses something that the converter does not know, or is not well formed."""


@dataclass(frozen=True)
class Node:
    """A piece of MathML, with what its neighbours must know about it."""

    markup: Markup
    role: Role = "ordinary"
    limits: bool = False
    text: str = ""


def _pairs(table: str) -> dict[str, str]:
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


LETTERS = _pairs(
    "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ "
    "mu μ nu ν xi ξ pi π rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω "
    "Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω ell ℓ hbar ℏ Re ℜ Im ℑ "
    "infty ∞ emptyset ∅ varnothing ∅ partial ∂ nabla ∇ forall ∀ exists ∃ nexists ∄ top ⊤ bot ⊥ square □ "
    "blacksquare ■ checkmark ✓ aleph ℵ prime ′ ldots … dots … cdots ⋯ vdots ⋮ ddots ⋱ dotsc … dotsb ⋯ degree °"
)
RELATIONS = _pairs(
    "le ≤ leq ≤ leqslant ⩽ ge ≥ geq ≥ geqslant ⩾ ne ≠ neq ≠ lt < gt > ll ≪ gg ≫ equiv ≡ approx ≈ sim ∼ simeq ≃ "
    "cong ≅ asymp ≍ propto ∝ lesssim ≲ gtrsim ≳ preceq ⪯ succeq ⪰ prec ≺ succ ≻ in ∈ notin ∉ ni ∋ subset ⊂ "
    "subseteq ⊆ supset ⊃ supseteq ⊇ mid ∣ parallel ∥ perp ⊥ coloneqq ≔ eqqcolon ≕ triangleq ≜ doteq ≐ to → "
    "rightarrow → leftarrow ← leftrightarrow ↔ longrightarrow ⟶ longleftarrow ⟵ Rightarrow ⇒ Leftarrow ⇐ "
    "Leftrightarrow ⇔ Longrightarrow ⟹ Longleftrightarrow ⟺ implies ⟹ impliedby ⟸ iff ⟺ mapsto ↦ longmapsto ⟼ "
    "uparrow ↑ downarrow ↓ nearrow ↗ searrow ↘ vdash ⊢ models ⊨"
)
BINARY = _pairs(
    "pm ± mp ∓ times × cdot ⋅ div ÷ ast ∗ star ⋆ circ ∘ bullet ∙ cap ∩ cup ∪ wedge ∧ vee ∨ land ∧ lor ∨ oplus ⊕ "
    "otimes ⊗ odot ⊙ setminus ∖ backslash ∖ amalg ⨿ sqcup ⊔ sqcap ⊓"
)
LARGE = _pairs("sum ∑ prod ∏ coprod ∐ bigcup ⋃ bigcap ⋂ bigvee ⋁ bigwedge ⋀ bigoplus ⨁ bigotimes ⨂ int ∫ iint ∬ oint ∮")
INTEGRALS = {"int", "iint", "oint"}
FUNCTIONS = _words(
    "log ln lg exp sin cos tan sinh cosh tanh arcsin arccos arctan coth cot sec csc arg dim deg ker hom sgn tr"
)
LIMIT_FUNCTIONS = {name: name for name in _words("max min sup inf lim det gcd Pr")} | {
    "limsup": "lim sup",
    "liminf": "lim inf",
    "argmax": "arg max",
    "argmin": "arg min",
}
ACCENTS = _pairs(
    "hat ^ widehat ^ check ˇ tilde ~ widetilde ~ bar ¯ overline ¯ vec → overrightarrow → dot ˙ ddot ¨ breve ˘ "
    "acute ´ grave ` mathring ˚ overbrace ⏞"
)
UNDER = _pairs("underline _ underbrace ⏟")
STRETCHED = _words("widehat widetilde overline overrightarrow overbrace underline underbrace")
ALPHABETS = {
    "mathbb": "DOUBLE-STRUCK",
    "mathbbm": "DOUBLE-STRUCK",
    "mathds": "DOUBLE-STRUCK",
    "mathcal": "SCRIPT",
    "mathscr": "SCRIPT",
    "mathfrak": "FRAKTUR",
    "mathbf": "BOLD",
    "boldsymbol": "BOLD ITALIC",
    "bm": "BOLD ITALIC",
    "mathsf": "SANS-SERIF",
    "mathtt": "MONOSPACE",
    "mathrm": "UPRIGHT",
    "mathit": "",
    "mathnormal": "",
}
DELIMITERS = {
    **{mark: mark for mark in "()[]|/<>"},
    ".": "",
    **_pairs(
        r"\{ { \} } \lbrace { \rbrace } \| ‖ \Vert ‖ \lVert ‖ \rVert ‖ \vert | \lvert | \rvert | \langle ⟨ \rangle ⟩ "
        r"\lfloor ⌊ \rfloor ⌋ \lceil ⌈ \rceil ⌉ \lbrack [ \rbrack ] \llbracket ⟦ \rrbracket ⟧ \backslash ∖"
    ),
    "<": "⟨",
    ">": "⟩",
}
OPENING = frozenset("([{⟨⌊⌈⟦")
CLOSING = frozenset(")]}⟩⌋⌉⟧")
SIZES = {size + side: width for size, width in
         (("big", 1.2), ("Big", 1.62), ("bigg", 2.05), ("Bigg", 2.47)) for side in ("", "l", "r", "m")}  # fmt: skip
SPACES = {",": 0.167, ":": 0.222, ";": 0.278, "!": -0.167, " ": 0.25, "quad": 1.0, "qquad": 2.0, "enspace": 0.5,
          "thinspace": 0.167, "medspace": 0.222, ">": 0.222}  # fmt: skip
CLOSE_TO_FUNCTION = _words(r"( [ { \{ \left \big \Big \bigl \Bigl \bigg \biggl") | {""}
"""What stands after the name of a function without a space."""
IGNORED = _words("displaystyle textstyle nonumber notag limits nolimits allowbreak nobreak")
MATRICES = {"matrix": "..", "smallmatrix": "..", "pmatrix": "()", "bmatrix": "[]", "Bmatrix": "{}", "vmatrix": "||",
            "Vmatrix": "‖‖", "cases": "{.", "array": ".."}  # fmt: skip
ALIGNED = _words("aligned align align* split gathered gather gather* equation equation*")

TOKEN = re.compile(r"\\(?:operatorname\*|[A-Za-z]+|.)|\d+(?:\.\d+)?|\s+|.", re.DOTALL)


def _tag(name: str, *children: Markup, **attributes: object) -> Markup:
    opening = Markup("").join(Markup(' {}="{}"').format(key, value) for key, value in attributes.items())
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), opening, Markup("").join(children))


def _edit(markup: Markup, old: str, new: str) -> Markup:
    """Replace the first occurrence of one piece of markup by another."""
    return Markup(str(markup).replace(old, new, 1))


def _mo(character: str, **attributes: object) -> Markup:
    return _tag("mo", escape(character), **attributes)


def _space(width: float) -> Node:
    return Node(_tag("mspace", width=f"{width:g}em"), "space")


@lru_cache(maxsize=4096)
def styled(character: str, alphabet: str) -> str:
    """Return a letter or digit of a mathematical alphabet, such as ``ℝ`` for R in DOUBLE-STRUCK, if there is one."""
    name = unicodedata.name(character, "")
    name = name.replace("LATIN ", "").replace("GREEK ", "").replace(" LETTER", "")
    prefixes = (f"MATHEMATICAL {alphabet}", alphabet, alphabet.replace("FRAKTUR", "BLACK-LETTER"))
    for candidate in (f"{prefix} {name}" for prefix in prefixes):
        try:
            return unicodedata.lookup(candidate)
        except KeyError:
            continue
    return character


class Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, source: str) -> None:
        self.tokens = TOKEN.findall(source)
        self.position = 0
        self.alphabet = ""
        self.tight = False  # in scripts, signs stand close

    def top(self) -> list[Node]:
        """Parse the whole source.

        Raises
        ------
        UnsupportedLatexError
            Naming the first thing that is not understood.
        """
        nodes = self.row()
        if self.position < len(self.tokens):
            raise UnsupportedLatexError(f"unexpected {self.tokens[self.position]}")
        return nodes

    def peek(self) -> str:
        """Return the next token that is not white space, or the empty string at the end."""
        while self.position < len(self.tokens) and self.tokens[self.position].isspace():
            self.position += 1
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        """Consume the next token."""
        token = self.peek()
        if not token:
            raise UnsupportedLatexError("the formula ends too early")
        self.position += 1
        return token

    def expect(self, token: str) -> None:
        """Consume a token that must come next."""
        found = self.take()
        if found != token:
            raise UnsupportedLatexError(f"{found} where {token} is needed")

    def row(self, *stops: str) -> list[Node]:
        """Parse up to one of the stops, which is not consumed."""
        nodes: list[Node] = []
        while (token := self.peek()) and token not in stops and token not in ("}", r"\right", r"\end", "&", r"\\"):
            node = self.atom()
            if node is not None:
                nodes.append(self.scripts(node))
        return nodes

    def group(self) -> list[Node]:
        """Parse an argument: a braced group or one atom."""
        if self.peek() == "{":
            self.take()
            nodes = self.row()
            self.expect("}")
            return nodes
        token = self.peek()
        if token[:1].isdigit() and len(token) > 1:  # TeX takes one digit: \\frac12 is a half
            self.tokens[self.position : self.position + 1] = [token[0], token[1:]]
        node = self.atom()
        return [] if node is None else [node]

    def argument(self) -> Markup:
        """Return an argument as one element."""
        return _one(self.group())

    def raw_group(self) -> str:
        """Return the source of a braced group, without the braces."""
        self.expect("{")
        depth, parts = 1, []
        while depth:
            if self.position >= len(self.tokens):
                raise UnsupportedLatexError("a brace is not closed")
            token = self.tokens[self.position]
            self.position += 1
            depth += (token == "{") - (token == "}")
            parts.append(token)
        return "".join(parts[:-1])

    def script(self) -> Markup:
        """Return the argument of a subscript or superscript."""
        outer, self.tight = self.tight, True
        try:
            return self.argument()
        finally:
            self.tight = outer

    def sign(self, mark: str, role: Role) -> Node:
        """Return a relation or a binary sign."""
        return Node(_mo(mark, **({"lspace": "0", "rspace": "0"} if self.tight else {})), role)

    def scripts(self, base: Node) -> Node:
        """Attach the subscript, superscript and primes that follow."""
        below: Markup | None = None
        above: list[Markup] = []
        limits = base.limits
        while (token := self.peek()) in ("_", "^", "'", r"\limits", r"\nolimits"):
            self.take()
            if token == "'":
                above.append(_mo("′", lspace="0", rspace="0"))
            elif token == "^":
                above.append(self.script())
            elif token == "_":
                if below is not None:
                    raise UnsupportedLatexError("double subscript")
                below = self.script()
            else:
                limits = token == r"\limits"
        if below is None and not above:
            return base
        names = ("munder", "mover", "munderover") if limits else ("msub", "msup", "msubsup")
        upper = above[0] if len(above) == 1 else _tag("mrow", *above)
        if below is None:
            markup = _tag(names[1], base.markup, upper)
        elif not above:
            markup = _tag(names[0], base.markup, below)
        else:
            markup = _tag(names[2], base.markup, below, upper)
        return replace(base, markup=markup, text="")

    def atom(self) -> Node | None:
        """Parse one atom without its scripts; None for a command that prints nothing."""
        token = self.peek()
        if token in ("_", "^", "'"):
            return Node(_tag("mrow"))
        if token == "{":
            nodes = self.group()
            return nodes[0] if len(nodes) == 1 else Node(_one(nodes))
        self.take()
        if token.startswith("\\"):
            return self.command(token)
        if token[0].isdigit():
            digits = "".join(styled(digit, self.alphabet) for digit in token)
            return Node(_tag("mn", escape(digits)))
        return self.character(token)

    def character(self, token: str) -> Node:
        """Return a single character."""
        if token.isalpha():
            return self.letter(token)
        if token in OPENING | CLOSING:
            return Node(_mo(token, stretchy="false"), "open" if token in OPENING else "close")
        if token == "|":
            return _bar(token)
        if token in "=<>:":
            return self.sign(token, "relation")
        if token in "+-*":
            return self.sign({"-": "−", "*": "∗"}.get(token, token), "binary")
        if token == "~":
            return _space(0.25)
        if token == "/":
            return Node(_mo(token, lspace="0", rspace="0"))
        if token in "#$%":
            raise UnsupportedLatexError(f"{token} in a formula")
        return Node(_mo(token), "operator" if token in ",;" else "ordinary")

    def letter(self, letter: str) -> Node:
        """Return a letter in the current alphabet."""
        if self.alphabet == "UPRIGHT":
            return Node(_tag("mi", escape(letter), mathvariant="normal"))
        return Node(_tag("mi", escape(styled(letter, self.alphabet) if self.alphabet else letter)))

    def command(self, token: str) -> Node | None:
        """Parse what a command stands for."""
        name = token[1:]
        if name in IGNORED:
            return None
        for parse in (self.symbol, self.named_operator, self.delimited, self.structure, self.lettering):
            node = parse(name)
            if node is not None:
                return node
        raise UnsupportedLatexError(f"unknown command {token}")

    def symbol(self, name: str) -> Node | None:
        """Return a symbol or a space."""
        if name in LETTERS:
            return self.letter(LETTERS[name])
        if name in RELATIONS:
            return self.sign(RELATIONS[name], "relation")
        if name in BINARY:
            return self.sign(BINARY[name], "binary")
        if name in LARGE:
            return Node(_mo(LARGE[name], movablelimits="true"), "operator", limits=name not in INTEGRALS)
        if name in SPACES:
            return _space(SPACES[name])
        if name in ("%", "$", "#", "&", "_"):
            return Node(_tag("mtext", escape(name)))
        return None

    def named_operator(self, name: str) -> Node | None:
        """Return an upright function name, spaced as an operator."""
        starred = name == "operatorname*"
        if name in FUNCTIONS:
            text = name
        elif name in LIMIT_FUNCTIONS:
            text, starred = LIMIT_FUNCTIONS[name], True
        elif name in ("operatorname", "operatorname*"):
            text = re.sub(r"\\[,;: ]|~", " ", self.raw_group())
            if "\\" in text:
                raise UnsupportedLatexError(f"{text} as the name of an operator")
        else:
            return None
        following = self.peek()
        rspace = "0" if following in CLOSE_TO_FUNCTION or (following in ("_", "^") and not starred) else "0.167em"
        limits = {"movablelimits": "true"} if starred else {}
        markup = _mo(text.replace(" ", " "), form="prefix", lspace="0.167em", rspace=rspace, **limits)
        return Node(markup, "operator", limits=starred)

    def delimited(self, name: str) -> Node | None:
        """Return a fence, stretched between ``left`` and ``right`` or of a given size."""
        if name == "left":
            return self.fenced()
        if name == "middle":
            return Node(_mo(self.delimiter(), stretchy="true", fence="true"), "relation")
        if name in SIZES:
            mark, size = self.delimiter(), f"{SIZES[name]:g}em"
            opens, closes = name.endswith("l") or mark in OPENING, name.endswith("r") or mark in CLOSING
            role: Role = "open" if opens else "close" if closes else "ordinary"
            form = {"open": "prefix", "close": "postfix"}.get(role, "infix")
            sized = {"stretchy": "true", "minsize": size, "maxsize": size, "lspace": "0", "rspace": "0"}
            return Node(_mo(mark, form=form, **sized), role)
        mark = DELIMITERS.get("\\" + name, "")
        if not mark:
            return None
        if mark in OPENING | CLOSING:
            opening = mark in OPENING
            markup = _mo(mark, form="prefix" if opening else "postfix", stretchy="false")
            return Node(markup, "open" if opening else "close")
        return _bar(mark)

    def delimiter(self) -> str:
        """Consume a delimiter."""
        token = self.take()
        if token not in DELIMITERS:
            raise UnsupportedLatexError(f"{token} is not a delimiter")
        return DELIMITERS[token]

    def fenced(self) -> Node:
        """Parse from after ``left`` to its ``right``."""
        left = self.delimiter()
        inner = self.row()
        self.expect(r"\right")
        return Node(_fence(left, _one(inner), self.delimiter()))

    def structure(self, name: str) -> Node | None:
        """Parse fractions, roots, stacks and environments."""
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            fraction = _tag("mfrac", self.argument(), self.argument())
            style = {"dfrac": "true", "cfrac": "true", "tfrac": "false"}.get(name)
            return Node(_tag("mstyle", fraction, displaystyle=style, scriptlevel="0") if style else fraction)
        if name == "binom":
            pair = _tag("mfrac", self.argument(), self.argument(), linethickness="0")
            return Node(_fence("(", pair, ")"))
        if name == "sqrt":
            return self.root()
        if name in ("overset", "stackrel", "underset"):
            mark, base = self.argument(), self.group()
            role = base[0].role if len(base) == 1 else "ordinary"
            return Node(_tag("munder" if name == "underset" else "mover", _one(base), mark), role)
        if name == "substack":
            return Node(self.table_of_group())
        if name == "begin":
            return self.environment()
        if name == "not":
            node = self.atom()
            if node is None or not node.markup.endswith("</mo>"):
                raise UnsupportedLatexError(r"\not before something that is no relation")
            return replace(node, markup=_edit(node.markup, "</mo>", "\u0338</mo>"))
        if name in ("bmod", "pmod"):
            inner = _tag("mrow", _mo("mod", rspace="0.222em"), self.argument() if name == "pmod" else Markup(""))
            return Node(_fence("(", inner, ")") if name == "pmod" else inner, "binary")
        return None

    def root(self) -> Node:
        """Parse a root, with its index if there is one."""
        if self.peek() != "[":
            return Node(_tag("msqrt", self.argument()))
        self.take()
        index = _one(self.row("]"))
        self.expect("]")
        return Node(_tag("mroot", self.argument(), index))

    def table_of_group(self) -> Markup:
        """Parse braced lines."""
        self.expect("{")
        rows = self.rows()
        self.expect("}")
        return _table(rows, "center")

    def environment(self) -> Node:
        """Parse from after ``begin`` to its ``end``."""
        name = self.raw_group()
        if name == "array":
            self.raw_group()
        elif name not in MATRICES and name not in ALIGNED:
            raise UnsupportedLatexError(f"unknown environment {name}")
        rows = self.rows()
        self.expect(r"\end")
        if self.raw_group() != name:
            raise UnsupportedLatexError(f"environment {name} is not closed")
        if name in ALIGNED:
            return Node(_tag("mstyle", _table(rows, "aligned"), displaystyle="true"))
        left, right = tuple(MATRICES[name].replace(".", " "))
        return Node(_fence(left.strip(), _table(rows, "left" if name == "cases" else "center"), right.strip()))

    def rows(self) -> list[list[Markup]]:
        """Parse the cells of a table."""
        rows: list[list[Markup]] = [[_one(self.row())]]
        while (token := self.peek()) in ("&", r"\\"):
            self.take()
            if token == "&":
                rows[-1].append(_one(self.row()))
            elif self.peek() not in (r"\end", "}"):
                rows.append([_one(self.row())])
        return rows

    def lettering(self, name: str) -> Node | None:
        """Parse text, alphabets and accents."""
        if name in ("text", "textrm", "textnormal", "mbox", "textit", "textbf", "emph"):
            source = self.raw_group()
            return Node(_text(source), "text", text=source)
        if name in ALPHABETS:
            return self.in_alphabet(ALPHABETS[name])
        if name in ACCENTS or name in UNDER:
            over = name in ACCENTS
            stretchy = "true" if name in STRETCHED else "false"
            mark = _mo(ACCENTS[name] if over else UNDER[name], stretchy=stretchy)
            base = self.argument()
            accented = _tag("mover", base, mark, accent="true") if over else _tag("munder", base, mark)
            return Node(accented, limits=name in ("underbrace", "overbrace"))
        return None

    def in_alphabet(self, alphabet: str) -> Node:
        """Parse an argument in another alphabet; an upright word is one identifier."""
        start = self.position
        if alphabet == "UPRIGHT" and self.peek() == "{":
            word = self.raw_group()
            if re.fullmatch(r"[A-Za-z0-9 \-]+", word):
                variant = {"mathvariant": "normal"} if len(word) == 1 else {}
                return Node(_tag("mi", escape(word), **variant))
            self.position = start
        outer, self.alphabet = self.alphabet, alphabet
        try:
            return Node(self.argument())
        finally:
            self.alphabet = outer


def _one(nodes: list[Node]) -> Markup:
    return nodes[0].markup if len(nodes) == 1 else _tag("mrow", *_spaced(nodes))


def _spaced(nodes: list[Node]) -> list[Markup]:
    """Drop the space before a function name where there is nothing to separate, and make leading signs unary."""
    result = []
    before: Role = "open"
    for node in nodes:
        markup = node.markup
        if before in ("open", "binary", "relation", "space") and markup.startswith('<mo form="prefix" lspace'):
            markup = _edit(markup, 'lspace="0.167em"', 'lspace="0"')
        if node.role == "binary" and before in ("open", "relation", "binary") and markup.startswith("<mo>"):
            markup = _edit(markup, "<mo>", '<mo form="prefix">')
        result.append(markup)
        before = node.role
    return result


def _bar(mark: str) -> Node:
    return Node(_mo(mark, form="prefix", stretchy="false", lspace="0", rspace="0"))


TALL = re.compile(r"<m(?:frac|root|sqrt|table|under|over|sup|subsup)")
"""What delimiters must stretch around."""


def _fence(left: str, inner: Markup, right: str) -> Markup:
    stretchy = "true" if TALL.search(inner) else "false"
    opening = _mo(left, form="prefix", stretchy=stretchy, fence="true") if left else Markup("")
    closing = _mo(right, form="postfix", stretchy=stretchy, fence="true") if right else Markup("")
    return _tag("mrow", opening, inner, closing)


def _table(rows: list[list[Markup]], alignment: str) -> Markup:
    lines = (_tag("mtr", *(_tag("mtd", cell) for cell in row)) for row in rows)
    return _tag("mtable", *lines, **{"class": alignment})


def _text(source: str) -> Markup:
    """Return the text of a formula, with formulas inside it."""
    parts = []
    for part, math in _split(source):
        if math:
            parts.append(_one(Parser(part).top()))
        elif part:
            parts.append(_tag("mtext", escape(re.sub(r"^\s|\s$", "\u00a0", _plain(part)))))
    return parts[0] if len(parts) == 1 else _tag("mrow", *parts)


TEXT_SIGNS = {"``": "“", "''": "”", "---": "—", "--": "–", "~": "\u00a0", r"\%": "%", r"\&": "&", r"\$": "$",
              r"\#": "#", r"\_": "_", r"\ ": " ", r"\,": "\u2009", r"\ldots": "…", r"\dots": "…", r"\{": "{",
              r"\}": "}", r"\\": " "}  # fmt: skip
TEXT_SIGN = re.compile("|".join(re.escape(sign) for sign in sorted(TEXT_SIGNS, key=len, reverse=True)))


def _plain(text: str) -> str:
    return TEXT_SIGN.sub(lambda match: TEXT_SIGNS[match[0]], text)


MATH = re.compile(
    r"(?<!\\)\$\$(.+?)(?<!\\)\$\$|(?<!\\)\$(.+?)(?<!\\)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]|"
    r"(\\begin\{(?:align|equation|gather)\*?\}.+?\\end\{(?:align|equation|gather)\*?\})",
    re.DOTALL,
)
"""Formulas in running text: two displayed, then two inline forms."""


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Yield (part, kind) with kind one of "" for text, "inline" and "display"."""
    position = 0
    for match in MATH.finditer(text):
        yield text[position : match.start()], ""
        part = next(part for part in match.groups() if part)
        yield part, "inline" if match[2] or match[3] else "display"
        position = match.end()
    yield text[position:], ""


WIDE_SPACES = (_space(1.0).markup, _space(2.0).markup)


def _math(nodes: list[Node], display: bool) -> Markup:
    attributes = {"displaystyle": "true"} if display else {}
    return _tag("math", *_spaced(nodes), **attributes)


def _pieces(nodes: list[Node], may_break: bool, display: bool) -> Iterator[Markup]:
    """Yield a formula in parts between which a line may end; text of the outermost level becomes prose."""
    part: list[Node] = []
    depth = 0
    for node in nodes:
        depth += (node.role == "open") - (node.role == "close")
        breaks = may_break and depth <= 0 and node.role in ("relation", "binary") and len(part) > 1
        apart = bool(node.text) or node.markup in WIDE_SPACES
        if (breaks or apart) and part:
            yield _math(part, display)
            part = []
        if apart:
            yield inline(node.text) if node.text else Markup('<span class="quad"></span>')
        else:
            part.append(replace(node, markup=_edit(node.markup, "<mo>", '<mo form="infix">')) if breaks else node)
    if part:
        yield _math(part, display)


@lru_cache(maxsize=4096)
def formula(latex: str, display: bool = False) -> Markup:
    """Return a formula as MathML, or its escaped source in ``<code>`` if it cannot be converted.

    Parameters
    ----------
    latex
        Mathematics without delimiters such as ``$``.
    display
        Set it apart, in large style, on several lines if it is long.
    """
    try:
        nodes = _parsed(latex)
        if not display:
            return _math(nodes, display=False)
        parts = _pieces(nodes, may_break=len(latex) >= BREAK_FROM, display=True)
        return Markup('<span class="display">{}</span>').format(Markup("<wbr/>").join(parts))
    except (UnsupportedLatexError, RecursionError):
        return _source(latex)


def _parsed(latex: str) -> list[Node]:
    nodes = Parser(latex).top()
    if not nodes:
        raise UnsupportedLatexError("an empty formula")
    return nodes


def _source(latex: str) -> Markup:
    return Markup('<code class="latex">{}</code>').format(latex)


def _prose(text: str) -> Markup:
    """Return text without formulas: signs, emphasis, paragraphs."""
    marked = str(escape(_plain(text)))
    for command, element in (("emph", "em"), ("textit", "em"), ("textbf", "strong"), ("texttt", "code")):
        marked = re.sub(rf"\\{command}\{{([^{{}}]*)\}}", rf"<{element}>\1</{element}>", marked)
    return Markup(re.sub(r"\n\s*\n", "<br>", marked))


BARE = re.compile(r"\\(?!emph|textbf|textit|texttt|[%&$#_ ,])|[_^]\{|[\w)]\^|(?<![a-z])[A-Za-z]_\w")
"""What occurs in mathematics only: commands and scripts (but not a name such as ``unit_rewards``)."""


@lru_cache(maxsize=4096)
def inline(text: str) -> Markup:
    """Return running text in which only what stands between ``$`` signs (or their equivalents) is mathematics."""
    parts = [formula(part, kind == "display") if kind else _prose(part) for part, kind in _split(text) if part]
    return Markup("").join(parts)


def statement(latex: str) -> Markup:
    r"""Return the statement of a claim: running text with formulas, or one bare formula without delimiters."""
    bare = not MATH.search(latex) and BARE.search(latex)
    return formula(latex.strip(), display=True) if bare else inline(latex.strip())


def condition(latex: str) -> Markup:
    r"""Return a short statement in running text, such as an assumption; bare formulas may contain ``\text``."""
    if MATH.search(latex) or not BARE.search(latex):
        return inline(latex.strip())
    try:
        return Markup("<wbr/>").join(_pieces(_parsed(latex), may_break=True, display=False))
    except (UnsupportedLatexError, RecursionError):
        return _source(latex)
