"""Runs one program on one side, step by step, and says what came out."""

from dataclasses import dataclass

from parties import Connection, Late, Node, Process, WebSocket, listening, wait_until
from side import Side
from stand_ins import StandIns


@dataclass
class Clients:
    """How clients in Lua are run: by which command, with whose modules."""

    command: list
    side: Side


class Run:
    """`seconds` is how long a step may take that does not say it itself."""

    def __init__(self, program, side, directory, masks, clients, seconds):
        self.program, self.side, self.directory = program, side, directory
        self.masks, self.clients, self.seconds = masks, clients, seconds
        self.parties = {}
        # Nodes with the service that ends them.
        self.booted = []
        self.failures = []
        self.codes = {}

    def go(self):
        """Sequences of lines, by name. What went wrong is among them, as "run"."""
        stand_ins = StandIns() if self.program.stand_ins else None
        try:
            if stand_ins:
                stand_ins.start()
            self._play()
            self._end_nodes()
        except Late as late:
            self.failures.append(str(late))
        except OSError as error:
            self.failures.append(f"{type(error).__name__}: {error.strerror}")
        finally:
            for party in reversed(self.parties.values()):
                party.close()
            if stand_ins:
                stand_ins.stop()

    def _play(self):
        for port in self.program.ports:
            wait_until(lambda port=port: not listening(port), self.seconds, f"port {port} free")
        try:
            if not any(step.get("node") == "main" for step in self.program.steps):
                self._start_node("main")
            for step in self.program.steps:
                self._step(step)
        except (Late, OSError) as error:
            # The nodes are ended in order all the same: that is compared too.
            self.failures.append(str(error))

    def side_of(self, name):
        """The side that a node is on."""
        return self.side

    def keys(self, name):
        """A node's own keys of the config."""
        return self.program.nodes[name].config

    def _start_node(self, name):
        spec = self.program.nodes[name]
        directory = self.directory / name
        side = self.side_of(name)
        side.lay_out(directory)
        config = side.config(spec.start, self.keys(name), spec.direct, spec.raw_print)
        node = Node(name, side.executable, config, directory, self.masks)
        self.parties[name] = node
        if not spec.direct:
            node.await_line(r"LAUNCH snlua compare_end", 1, self.seconds)
            self.booted.append(node)

    def _step(self, step):
        seconds = step.get("seconds", self.seconds)
        match step:
            case {"await": pattern}:
                self._party(step.get("from", "main")).await_line(
                    pattern, step.get("count", 1), seconds)
            case {"listen": port}:
                wait_until(lambda: listening(port), seconds, f"port {port} listening")
            case {"node": name}:
                self._start_node(name)
            case {"lua": words}:
                self._client(step.get("as", "client"), [*self.clients.command, *words.split()])
            case {"run": words}:
                self._client(step.get("as", "process"), words.split())
            case {"connect": port}:
                name = step.get("as", "connection")
                self.parties[name] = Connection(name, port, seconds)
            case {"websocket": port}:
                name = step.get("as", "websocket")
                self.parties[name] = WebSocket(name, port, step.get("path", "/"), seconds)
            case {"send": text}:
                self._party(step.get("to", "main")).send(self._filled(text))
            case {"signal": name}:
                self._party(step.get("to", "main")).signal(name)
            case {"finish": name}:
                self._party(name).finish()
            case {"close": name}:
                self._party(name).close()
            case {"end": name}:
                self.codes[name] = self._party(name).await_end(seconds)

    def _party(self, name):
        if name not in self.parties:
            raise Late(f"{name} is not there")
        return self.parties[name]

    def _client(self, name, command):
        directory = self.directory / name
        self.clients.side.lay_out(directory)
        self.parties[name] = Process(name, command, directory)

    def _filled(self, text):
        """`{snlua launcher}` stands for that service's address."""
        for address, name in self.parties["main"].log().names.items():
            text = text.replace("{" + name.removesuffix("#1") + "}", f":{address}")
        return text

    def _end_nodes(self):
        nodes = [node for node in reversed(self.booted) if node.name not in self.codes]
        for node in nodes:
            if node.alive():
                node.mark(self.seconds)
        for node in nodes:
            self.codes[node.name] = node.abort(self.seconds)

    def sequences(self):
        nodes = {name: party.log() for name, party in self.parties.items()
                 if isinstance(party, Node)}
        # Addresses of one harbor are known to the others; without a harbor they
        # are each node's own.
        others = {address: name for log in nodes.values() for address, name in log.names.items()
                  if not address.startswith("00")}
        result = {}
        for name, party in self.parties.items():
            if name in nodes:
                prefix = "" if name == "main" else f"{name}: "
                for service, lines in nodes[name].services(others).items():
                    result[prefix + service] = lines
                if party.file != party.output:
                    result[f"{name} stdout"] = _lines(_text(party.output), self.masks)
            else:
                text = nodes["main"].name(party.text(), others) if "main" in nodes else party.text()
                result[f"{name} transcript"] = _lines(text, self.masks)
            if isinstance(party, Process):
                result[f"{name} stderr"] = _lines(_text(party.errors), self.masks)
        result["exit codes"] = [f"{name}: {code}" for name, code in sorted(self.codes.items())]
        result["run"] = self.failures
        return {name: lines for name, lines in result.items() if lines}


def _text(path):
    return path.read_bytes().decode(errors="backslashreplace")


def _lines(text, masks):
    masked = [masks.apply(line) for line in text.splitlines()]
    return [line for line in masked if line is not None]
