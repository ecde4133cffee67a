from experiments.docs.site_check import find_faults


def write_site(folder, body):
    (folder / "index.html").write_text(body)
    (folder / "other.html").write_text('<h2 id="part">Part</h2>')
    return folder


def test_links_that_lead_somewhere_are_no_faults(tmp_path):
    links = ("other.html", "other.html#part", "#here", "https://example.org", "./")
    body = '<p id="here">' + "".join(f'<a href="{link}">' for link in links)
    assert find_faults(write_site(tmp_path, body)) == []


def test_links_to_nothing_are_named(tmp_path):
    body = '<a href="other.html#no"><a href="no.html"><img src="no.svg">'
    faults = find_faults(write_site(tmp_path, body))
    assert [fault.split()[3] for fault in faults] == ["other.html#no,", "no.html,", "no.svg,"]


def test_what_a_network_would_have_to_send_is_named(tmp_path):
    body = '<script src="https://example.org/a.js"></script><link href="//example.org/a.css">'
    site = write_site(tmp_path, body)
    (site / "a.css").write_text('a { background: url("https://example.org/a.png") }')
    faults = find_faults(site)
    assert [fault.split()[2] for fault in faults] == [
        "https://example.org/a.js",
        "//example.org/a.css",
        'https://example.org/a.png"',
    ]
