import { assertEquals, assertThrows } from "@std/assert";
import { unixTest as test } from "../platform.ts";
import { Template } from "../../process/mod.ts";
import type { StepKind } from "../../process/mod.ts";

async function temporary(
  test: (infile: string, outfile: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    // A name that a shell would stumble over.
    const infile = `${folder}/in '$1 *`;
    await Deno.writeTextFile(infile, "b\na\nb\n");
    await test(infile, `${folder}/out "$2"`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function template(...steps: [string, StepKind][]): Template {
  const t = new Template();
  for (const [cmd, kind] of steps) t.append(cmd, kind);
  return t;
}

test("Template.copy() sends a file through all kinds", () =>
  temporary(async (infile, outfile) => {
    const cases: [Template, string][] = [
      [template(), "b\na\nb\n"],
      [template(["sort", "--"], ["uniq", "--"]), "a\nb\n"],
      [template(['sort "$IN"', "f-"], ["uniq", "--"]), "a\nb\n"],
      [template(['sort > "$OUT"', "-f"], ["uniq", "--"]), "a\nb\n"],
      [
        template(['sort < "$IN" > "$OUT"', "ff"], ['uniq "$IN"', "f-"]),
        "a\nb\n",
      ],
      [
        template(['cat "$IN" > "$OUT"', "ff"], ['sort > "$OUT"', "-f"]),
        "a\nb\nb\n",
      ],
      [template(["sort", "--"], ['uniq "$IN" "$OUT"', "ff"]), "a\nb\n"],
      [template(["true; sort # a comment", "--"], ["uniq", "--"]), "a\nb\n"],
    ];
    for (const [t, expected] of cases) {
      assertEquals(await t.copy(infile, outfile), 0);
      assertEquals(await Deno.readTextFile(outfile), expected);
      await Deno.remove(outfile);
      assertEquals(t.copySync(infile, outfile), 0);
      assertEquals(await Deno.readTextFile(outfile), expected);
    }
    const source = template(["tr a-z A-Z", "--"]);
    source.prepend("echo spam", ".-");
    assertEquals(await source.copy("", outfile), 0);
    assertEquals(await Deno.readTextFile(outfile), "SPAM\n");
    const sink = template(["sort", "--"]);
    sink.append(`cat > '${outfile}'`, "-.");
    assertEquals(await sink.copy(infile, ""), 0);
    assertEquals(await Deno.readTextFile(outfile), "a\nb\nb\n");
  }));

test("Template.copy() gives the status of the last step", () =>
  temporary(async (infile, outfile) => {
    assertEquals(
      await template(["cat; exit 3", "--"]).copy(infile, outfile),
      3,
    );
    const files = template(['cat "$IN" > "$OUT"; exit 4', "ff"]);
    assertEquals(files.copySync(infile, outfile), 4);
  }));

test("Template.open() reads and writes through the steps", () =>
  temporary(async (infile, outfile) => {
    const t = template(["sort", "--"], ['uniq > "$OUT"', "-f"]);
    const reader = t.open(infile, "r");
    assertEquals(await reader.stdout.readlines(), ["a\n", "b\n"]);
    assertEquals(await reader.close(), 0);
    const writer = t.open(outfile, "w");
    await writer.stdin.write("z\ny\nz\n");
    assertEquals(await writer.close(), 0);
    assertEquals(await Deno.readTextFile(outfile), "y\nz\n");
    const empty = new Template().open(infile, "r");
    assertEquals(await empty.stdout.read(), "b\na\nb\n");
    await empty.close();
    {
      await using writer = template(["sort", "--"]).open(outfile, "w");
      await writer.stdin.write("b\na\n");
    }
    assertEquals(await Deno.readTextFile(outfile), "a\nb\n");
    let endless;
    {
      await using reader = template(["cat -", "--"]).open("/dev/zero", "r");
      endless = reader.process;
      assertEquals(await reader.stdout.read(2), "\0\0");
    }
    assertEquals(endless.poll(), 141);
  }));

test("Template.openSync() reads and writes through the steps", () =>
  temporary(async (infile, outfile) => {
    const t = template(["sort", "--"], ['uniq > "$OUT"', "-f"]);
    const reader = t.openSync(infile, "r");
    assertEquals(reader.stdout.readlines(), ["a\n", "b\n"]);
    assertEquals([reader.close(), reader.close()], [0, 0]);
    const writer = t.openSync(outfile, "w");
    writer.stdin.write("z\ny\nz\n");
    assertEquals(writer.close(), 0);
    assertEquals(await Deno.readTextFile(outfile), "y\nz\n");
    const failing = template(["cat; exit 3", "--"]).openSync(outfile, "w");
    assertEquals(failing.close(), 3);
    const early = template(["cat -", "--"]).openSync("/dev/zero", "r");
    assertEquals(early.stdout.read(2), "\0\0");
    // The shell says 128 + SIGPIPE of what it ran.
    assertEquals(early.close(), 141);
    assertThrows(() => t.openSync("/tmp/x", "a" as "r"), RangeError);
  }));

test("Template.clone(), reset() keep to themselves", () =>
  temporary(async (infile, outfile) => {
    const t = template(["sort", "--"]);
    const copy = t.clone();
    copy.append("uniq", "--");
    t.reset();
    await t.copy(infile, outfile);
    assertEquals(await Deno.readTextFile(outfile), "b\na\nb\n");
    await copy.copy(infile, outfile);
    assertEquals(await Deno.readTextFile(outfile), "a\nb\n");
  }));

test("Template refuses steps that cannot be", () => {
  const t = new Template();
  assertThrows(() => t.append("sort", "xx" as StepKind), RangeError);
  assertThrows(() => t.append(3 as unknown as string, "--"), TypeError);
  assertThrows(() => t.append("sort", "f-"), RangeError, "$IN");
  assertThrows(() => t.append("sort $INPUT", "f-"), RangeError, "$IN");
  assertThrows(() => t.append("sort", "-f"), RangeError, "$OUT");
  assertThrows(() => t.append("echo", ".-"), RangeError, "prepended");
  assertThrows(() => t.prepend("lpr", "-."), RangeError, "appended");
  t.append("lpr", "-.");
  assertThrows(() => t.append("sort", "--"), RangeError, "lpr");
  t.prepend("echo", ".-");
  assertThrows(() => t.prepend("sort", "--"), RangeError, "echo");
  assertThrows(() => t.open("/tmp/x", "r"), RangeError);
  assertThrows(() => t.open("/tmp/x", "w"), RangeError);
  assertThrows(() => t.open("/tmp/x", "a" as "r"), RangeError);
});
