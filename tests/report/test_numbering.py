from lib.report import numbering

PAGE = (
    '<p>See <a href="#figure-loss">the figure</a>, <a href="#table-speeds">the table</a> and <a href="#a">a</a>.</p>'
    '<caption id="table-speeds">Seconds</caption><caption>Texts</caption><figcaption id="figure-loss">Loss</figcaption>'
)


def test_captions_are_numbered_in_their_order_and_references_carry_the_numbers():
    assert numbering.number(PAGE, "en") == (
        '<p>See <a href="#figure-loss">Figure 1</a>, <a href="#table-speeds">Table 1</a> and <a href="#a">a</a>.</p>'
        '<caption id="table-speeds"><b>Table 1.</b> Seconds</caption>'
        '<caption id="table-2"><b>Table 2.</b> Texts</caption>'
        '<figcaption id="figure-loss"><b>Figure 1.</b> Loss</figcaption>'
    )
    chinese = numbering.number(PAGE, "zh")
    assert '<a href="#figure-loss">图 1</a>' in chinese and "<b>表 2：</b> Texts" in chinese


def test_a_view_that_stands_twice_has_two_numbers_and_references_lead_to_the_first():
    told = numbering.number(
        '<a href="#table-x">it</a><caption id="table-x">a</caption><caption id="table-x">b</caption>', "en"
    )
    assert told == (
        '<a href="#table-x">Table 1</a><caption id="table-x"><b>Table 1.</b> a</caption>'
        '<caption id="table-2"><b>Table 2.</b> b</caption>'
    )


def test_a_reference_to_what_is_not_there_keeps_its_words():
    assert numbering.number('as <a href="#figure-none">the figure</a> shows', "en") == "as the figure shows"
