using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class ConsoleWriterTests
{
    // A closed terminal answers every write with an input/output error; a training went down with it.
    [TestMethod]
    public void Writing_to_a_terminal_that_is_closed_does_nothing()
    {
        using ConsoleWriter writer = new(new ClosedTerminal());
        writer.WriteLine("step 1");
        writer.Write('x');
        writer.Write("{0} of {1}", 1, 2);
        writer.Flush();
    }

    [TestMethod]
    public void What_is_written_reaches_the_console()
    {
        using StringWriter console = new();
        using ConsoleWriter writer = new(console);
        writer.Write("step ");
        writer.WriteLine(1);
        Assert.AreEqual("step 1" + Environment.NewLine, console.ToString());
    }

    private sealed class ClosedTerminal : StringWriter
    {
        public override void Write(char value) => throw new IOException("Input/output error");

        public override void Write(char[] buffer, int index, int count) => throw new IOException("Input/output error");

        public override void Write(string? value) => throw new IOException("Input/output error");

        public override void Flush() => throw new IOException("Input/output error");
    }
}
