using System.Reflection;
using System.Text;

namespace MLNetExtension.Tests.Documentation;

/// <summary>Runs compiled programs in this process, each with what it writes to the console caught apart from what other tests write.</summary>
internal static class ProgramRun
{
    private static readonly AsyncLocal<StringWriter?> _caught = new();

    static ProgramRun() => Console.SetOut(new Router(Console.Out));

    /// <summary>Runs a program to its end.</summary>
    /// <returns>What it wrote to the console.</returns>
    public static string Run(Assembly program, params string[] args)
    {
        using var output = new StringWriter();
        _caught.Value = output;
        try
        {
            MethodInfo main = program.EntryPoint!;
            object? result = main.Invoke(null, BindingFlags.DoNotWrapExceptions, null, main.GetParameters().Length == 0 ? [] : [args], null);
            Assert.AreEqual(0, result ?? 0, output.ToString());
        }
        finally
        {
            _caught.Value = null;
        }
        return output.ToString();
    }

    // Threads that a program starts carry the flow of its calls, and so write to its output.
    private sealed class Router(TextWriter otherwise) : TextWriter
    {
        public override Encoding Encoding => otherwise.Encoding;

        public override void Write(char value)
        {
            if (_caught.Value is not { } writer)
                otherwise.Write(value);
            else
                lock (writer)
                    writer.Write(value);
        }

        public override void Write(string? value)
        {
            if (_caught.Value is not { } writer)
                otherwise.Write(value);
            else
                lock (writer)
                    writer.Write(value);
        }

        public override void WriteLine(string? value) => Write(value + NewLine);

        public override void Flush()
        {
            if (_caught.Value is null)
                otherwise.Flush();
        }
    }
}
