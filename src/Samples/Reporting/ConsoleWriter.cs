using System.Text;

namespace Samples.Reporting;

/// <summary>Writes to the console as long as there is one: where its terminal has been closed, what is written is lost, and the command goes on.</summary>
internal sealed class ConsoleWriter(TextWriter console) : TextWriter
{
    public override Encoding Encoding => console.Encoding;

    /// <summary>Makes the program's output and error output such writers.</summary>
    public static void Install()
    {
        Console.SetOut(new ConsoleWriter(Console.Out));
        Console.SetError(new ConsoleWriter(Console.Error));
    }

    public override void Write(char value) => Try(() => console.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => console.Write(buffer, index, count));

    public override void Write(string? value) => Try(() => console.Write(value));

    public override void Flush() => Try(console.Flush);

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException)
        {
            // The terminal is gone.
        }
    }
}
