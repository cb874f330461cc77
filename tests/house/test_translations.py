"""The catalogs are whole: every marked text is in them and translated, and what is served is what was translated."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils.translation import template as marked_templates

from runs.management.commands.makemessages import default_messages

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
MODULES = [
    path
    for room in ("runs", "studio")
    for path in sorted((ROOT / room).rglob("*.py"))
    if "execution" not in path.parts and "migrations" not in path.parts
]
MARKS = {"_", "say", *(f"{kind}gettext{lazy}" for kind in ("", "n", "p", "np") for lazy in ("", "_lazy"))}
PLACEHOLDER = re.compile(r"%\(\w+\)[sdr]|%[sdr]|%%|\{\{|\}\}|\{[^{}]*\}|</?(?:a|strong|code|span)\b[^>]*>|`[^`]*`")
STRING = r"u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
IN_TEMPLATE = re.compile(rf"\b(?:n?gettext|_)\(\s*({STRING})|\bn?pgettext\(\s*{STRING}\s*,\s*({STRING})")
# Attributes that a reader sees or hears.
SPOKEN = {"title", "aria-label", "placeholder", "alt", "label", "data-label", "data-confirm", "summary"}
# What is the same in every language: names, keys of the keyboard, and what is typed.
NOT_WORDS = {
    *("Studio", "- Studio", "Enter", "Esc", "pid"),
    *("(Ctrl+Z)", "(Ctrl+Y)", "(Ctrl+C)", "(Ctrl+V)"),
    *("local", "gpu-compute", "churn", "iris", "status:failed", "status:completed", "CSV", "JSON", "default"),
    *("quality", "val_loss, accuracy.max", "status:failed -has:tags.keep"),
}


def catalog(language, ending="po"):
    path = settings.LOCALE_PATHS[0] / language / "LC_MESSAGES" / f"django.{ending}"
    return polib.pofile(str(path)) if ending == "po" else polib.mofile(str(path))


def marked_in_module(path):
    """Return what a module marks, as the AST has it: adjacent strings are one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if name in MARKS and texts:
                yield texts[1 if "pgettext" in name else 0]


def marked_in_template(path):
    """Return what a template marks, as makemessages reads it."""
    for found in IN_TEMPLATE.finditer(marked_templates.templatize(path.read_text())):
        yield ast.literal_eval(found[1] or found[2])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_marked_text_is_in_the_catalog_and_nothing_else(language):
    known = {entry.msgid for entry in catalog(language)}
    marked = {text for path in MODULES for text in marked_in_module(path)} | default_messages()
    marked |= {text for path in TEMPLATES for text in marked_in_template(path)}

    # To mend this: python manage.py makemessages, translate, python manage.py compilemessages.
    assert sorted(marked - known) == [], sorted(marked - known)
    assert sorted(known - marked) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated_with_the_same_placeholders(language):
    entries = catalog(language)
    untranslated = [entry.msgid for entry in entries if not entry.translated() or entry.fuzzy or entry.obsolete]
    differing = [
        entry.msgid
        for entry in entries
        for text in (entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr])
        if sorted(PLACEHOLDER.findall(text)) != sorted(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    ]

    assert len(entries) > 1000
    assert untranslated == []
    assert differing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_translated(language):
    def texts(entries):
        return {(each.msgctxt, each.msgid): (each.msgstr, each.msgstr_plural) for each in entries}

    assert texts(catalog(language, "mo")) == texts(catalog(language))


class Texts(HTMLParser):
    """What of a page is said: its text, and attributes that are read out."""

    def __init__(self):
        super().__init__()
        self.found, self.silent = [], 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in {"script", "style", "code"}
        self.found += [value or "" for name, value in attrs if name in SPOKEN]

    def handle_endtag(self, tag):
        self.silent -= tag in {"script", "style", "code"}

    def handle_data(self, data):
        if not self.silent:
            self.found.append(data)


TAG = re.compile(r"\{#.*?#\}|\{%\s*blocktranslate.*?endblocktranslate\s*%\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_no_template_has_words_that_are_not_marked(path):
    texts = Texts()
    texts.feed(TAG.sub(" ", path.read_text()))

    assert [
        text for each in texts.found if re.search(r"[A-Za-z]{2}", text := each.strip()) and text not in NOT_WORDS
    ] == []


def test_words_that_are_not_marked_are_found():
    texts = Texts()
    texts.feed(TAG.sub(" ", '<p title="Hidden words">{% translate "Marked" %} {{ x }} Not marked</p>'))

    assert [text.strip() for text in texts.found] == ["Hidden words", "Not marked"]
