"""A page as a browser opens it: its script runs in a JavaScript engine, its websocket is a real one.

`page.py FILE` prints a line of JSON whenever the page shows another list: the id of the element and the texts in it.
What the page does wrong ends the program: an element that is not there, an exception, a websocket that is closed.
"""

import json
import sys
from html.parser import HTMLParser

import quickjs
from websockets.sync.client import connect

# As much of a browser as the page needs. `opened`, `sent` and `shown` are given from here.
BROWSER = """
class Element {
  constructor(id) { this.id = id; this.textContent = ""; }
  replaceChildren(...children) { shown(this.id, JSON.stringify(children.map(child => child.textContent))); }
}
const elements = new Map();
const document = {
  getElementById: id => elements.get(id) ?? null,
  createElement: () => new Element(null),
};
class WebSocket {
  constructor(url) { this.url = url; WebSocket.only = this; opened(url); }
  send(text) { sent(text); }
}
const begin = () => WebSocket.only.onopen({});
const deliver = text => WebSocket.only.onmessage({data: text});
"""


class Page(HTMLParser):
    """The ids of elements, and the scripts."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.scripts, self.within = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.within = tag
        self.ids.extend(value for name, value in attributes if name == "id")

    def handle_endtag(self, tag):
        self.within = None

    def handle_data(self, text):
        if self.within == "script":
            self.scripts.append(text)


def main(path):
    with open(path, encoding="utf-8") as file:
        page = Page(file.read())
    urls, socket = [], None

    def sent(text):
        # As in a browser: what is sent too early is an error of the page.
        socket.send(text)

    engine = quickjs.Context()
    engine.add_callable("opened", urls.append)
    engine.add_callable("sent", sent)
    engine.add_callable("shown", lambda id, texts: print(json.dumps([id, json.loads(texts)]), flush=True))
    engine.eval(BROWSER)
    for id in page.ids:
        engine.eval(f"elements.set({json.dumps(id)}, new Element({json.dumps(id)}))")
    for script in page.scripts:
        engine.eval(script)
    # A page from a file has no origin.
    with connect(*urls, origin="null", proxy=None) as socket:
        engine.eval("begin()")
        deliver = engine.eval("deliver")
        for text in socket:
            deliver(text)
    sys.exit("the websocket was closed")


if __name__ == "__main__":
    main(sys.argv[1])
