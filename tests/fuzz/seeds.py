"""Where the search begins: frames and messages made by hand, and the words that JSON of this family is made of."""

from ..model.frames import Frame, encode
from ..test_bad_input_fuzz import PIECES
from ..test_decode import FRAMES, SNAPSHOT

LEVELS = b'"b":[["61737.63","0.5"],["61730.17000000","1.25"],["7","12345678.5"]],"a":[["61837.640","1"]]'
MESSAGES = [
    *FRAMES.values(),
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,'
    + LEVELS
    + b"}}",
    b' { "data" : {"u":1,"s":"BTCUSDT","b":"1.0","B":"2","a":"3","A":"4"}, "stream":"btcusdt@bookTicker" } ',
    b'{"result":null,"id":1}',
    b'{"error":{"code":2,"msg":"no \\"x\\" \\u0041"},"id":[1.5e-3,true,false,{}]}',
    b'{"stream":"!ticker@arr","data":[]}',
    b'{"e":"trade","s":"BTCUSDT","t":1,"p":1e2,"q":"1E-3","m":false}',
    b'[1,"2",null]',
    b'{"e":"trade","\xff":0,"s":"BTCUSDT","t":1,"p":"1","q":"1","m":false}',  # a key of one byte that is no ASCII
]
SNAPSHOTS = [
    SNAPSHOT,
    b' {"bids":[["4.0","1",[]]],"E":5,"asks":[[5,"6.1e1"]],"lastUpdateId":7} ',
    b'{"code":-1121,"msg":"Invalid symbol."}',
    b'{"lastUpdateId":1,"bids":[],"asks":[]}',
]
STREAMS = [
    encode(Frame(1, b'{"id":1}')) + encode(Frame(9, b"ping")) + encode(Frame(2, b"")),
    encode(Frame(1, b"first", final=False)) + encode(Frame(0, b"last")) + encode(Frame(8, b"\x03\xe8bye")),
    encode(Frame(1, b"x" * 126)) + encode(Frame(1, b"y" * 300), 127),
    encode(Frame(1, b"z" * 5), 126) + b"\x81\x7f\x80\0\0\0\0\0\0\0",
    b"\x81\x7e\x01\x2d" + b"w" * 40,
    b"\xc1\x00",
    b"\x81\x85\0\0\0\0hello",
]
SEEDS = {
    "frames": [bytes([len(stream) // 2]) + stream for stream in STREAMS],
    "decode": [bytes([number]) + text for number, text in enumerate(MESSAGES)],
    "snapshot": [bytes([1 + number * 17]) + text for number, text in enumerate(SNAPSHOTS)]
    + [bytes([symbol]) + SNAPSHOT for symbol in (0, 15)],  # symbols nobody has
    "slow": [b"0" + text for text in MESSAGES],
}
WORDS = [
    *(piece for piece in PIECES if piece),
    *(b'{"stream":"', b'","data":{', b'"e":"depthUpdate"', b'"e":"trade"', b'"e":"aggTrade"', b'"e":"bookTicker"'),
    *(b'"lastUpdateId":', b'"bids":[', b'"asks":[', b'"pu":', b'"X":"NA"', b'"m":true', b'"T":', b'"E":', b'"u":'),
    *(b'"],["', b'","', b'"]]', b"1.5", b"0.00000001", b"99999999.99999999", b"9223372036854775807", b"1e5"),
    *(b"btcusdt@trade", b"btcusdt@depth20@100ms", b"ethusdt@aggTrade", b"BTCUSDT", b"\\ud800"),
    b"1e9999999999999999999",
]  # fmt: skip


def dictionary() -> str:
    """The words as libFuzzer reads them."""
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in WORDS)
