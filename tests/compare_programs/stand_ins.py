"""Stand-ins for servers of the outside world: DNS, which knows every name but a
few, and HTTP behind those names. They work in a network namespace only, in which
the addresses are the loopback device's."""

import socket
import threading

DNS_PORT, HTTP_PORT = 53, 80
# From the block for documentation, RFC 5737.
HOST = "203.0.113.7"
_BODY = b"<html>hello</html>\n"


def name_servers():
    """The addresses that programs here will ask."""
    servers = []
    try:
        with open("/etc/resolv.conf", encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    servers.append(words[1])
    except FileNotFoundError:
        pass
    return servers


def addresses():
    """What has to lead to the loopback device."""
    outside = [server for server in name_servers() if not server.startswith("127.")]
    return [HOST] + [server + ("/128" if ":" in server else "/32") for server in outside]


def answer(query):
    """A DNS answer: one address for every name of the top-level domain com, no such
    name for the others. Only IPv4 addresses are known (RFC 1035)."""
    end = 12
    labels = []
    while query[end]:
        labels.append(query[end + 1:end + 1 + query[end]])
        end += 1 + query[end]
    question = query[12:end + 5]
    kind = int.from_bytes(question[-4:-2], "big")
    known = labels[-1:] == [b"com"]
    found = known and kind == 1
    flags = 0x8180 | (0 if known else 3)
    head = query[:2] + b"".join(number.to_bytes(2, "big") for number in (flags, 1, int(found), 0, 0))
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + socket.inet_aton(HOST)
    return head + question + (record if found else b"")


class StandIns:
    def __init__(self):
        self.sockets = []
        self.threads = []

    def start(self):
        for server in name_servers():
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            dns = socket.socket(family, socket.SOCK_DGRAM)
            self.sockets.append(dns)
            dns.bind((server, DNS_PORT))
            self._serve(self._dns, dns)
        http = socket.create_server((HOST, HTTP_PORT))
        self.sockets.append(http)
        self._serve(self._http, http)

    def _serve(self, function, server):
        thread = threading.Thread(target=function, args=(server,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def stop(self):
        for server in self.sockets:
            try:
                server.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # a datagram socket is woken, but says that it had no peer
        for thread in self.threads:
            thread.join()
        for server in self.sockets:
            server.close()

    @staticmethod
    def _dns(server):
        try:
            while True:
                query, client = server.recvfrom(4096)
                if not query:
                    return
                server.sendto(answer(query), client)
        except OSError:
            return

    @staticmethod
    def _http(server):
        try:
            while True:
                client, _ = server.accept()
                with client:
                    request = b""
                    while b"\r\n\r\n" not in request and (piece := client.recv(4096)):
                        request += piece
                    head = (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                            b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_BODY))
                    client.sendall(head + (b"" if request.startswith(b"HEAD") else _BODY))
        except OSError:
            return
