using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace MLNetExtension.Tests.Hostile;

/// <summary>One of the <see cref="ChildPrograms"/> in a process of its own, which a test may kill.</summary>
internal sealed partial class ChildProcess : IDisposable
{
    /// <summary>The argument that tells this assembly to run a child program instead of the tests.</summary>
    public const string Argument = "--child";

    private static readonly TimeSpan MaximumTime = TimeSpan.FromMinutes(10);
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly List<(string Sign, TaskCompletionSource Seen)> _waiting = [];

    private ChildProcess(ProcessStartInfo start)
    {
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += OnLine;
        _process.ErrorDataReceived += OnLine;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What it has written to its output and its error output.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>Finds the command line that runs a program: file and arguments.</summary>
    /// <param name="program">One of the names in <see cref="ChildPrograms"/>.</param>
    /// <param name="arguments">Its arguments.</param>
    public static string[] CommandLine(string program, params IEnumerable<string> arguments)
    {
        string host = Environment.ProcessPath!;
        // Under `dotnet file.dll` the process is dotnet itself.
        bool hosted = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        string[] self = hosted ? [typeof(ChildProcess).Assembly.Location] : [];
        return [host, .. self, Argument, program, .. arguments];
    }

    /// <summary>Starts a program.</summary>
    /// <param name="program">One of the names in <see cref="ChildPrograms"/>.</param>
    /// <param name="arguments">Its arguments.</param>
    public static ChildProcess Start(string program, params IEnumerable<string> arguments) => Start(program, [], arguments);

    /// <summary>Starts a program.</summary>
    /// <param name="program">One of the names in <see cref="ChildPrograms"/>.</param>
    /// <param name="environment">What it finds in its environment beside what is here.</param>
    /// <param name="arguments">Its arguments.</param>
    public static ChildProcess Start(string program, Dictionary<string, string> environment, IEnumerable<string> arguments)
    {
        string[] command = CommandLine(program, arguments);
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Kernels of several processes that share two cores: threads that wait by spinning slow each other more than tenfold.
        (start.Environment["OMP_NUM_THREADS"], start.Environment["OMP_WAIT_POLICY"]) = ("1", "PASSIVE");
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return new ChildProcess(start);
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its exit code, 128 and the signal's number where a signal ended it, and what it wrote.</returns>
    public static (int ExitCode, string Output) Run(string program, params IEnumerable<string> arguments)
    {
        using ChildProcess child = Start(program, arguments);
        return (child.WaitForExit(), child.Output);
    }

    /// <summary>Waits until it has written something.</summary>
    /// <returns>Whether it has; false where it ended without.</returns>
    /// <exception cref="AssertFailedException">It took too long.</exception>
    public bool WaitFor(string sign)
    {
        TaskCompletionSource seen = new();
        lock (_output)
        {
            if (_output.ToString().Contains(sign, StringComparison.Ordinal))
                return true;
            _waiting.Add((sign, seen));
        }
        int first = Task.WaitAny([seen.Task, _process.WaitForExitAsync()], MaximumTime);
        Assert.AreNotEqual(-1, first, $"waiting for '{sign}' in:\n{Output}");
        return first == 0;
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code, 128 and the signal's number where a signal ended it.</returns>
    /// <exception cref="AssertFailedException">It took too long.</exception>
    public int WaitForExit()
    {
        Assert.IsTrue(_process.WaitForExit(MaximumTime), $"The process hangs; it wrote:\n{Output}");
        _process.WaitForExit();    // for the rest of its output
        return _process.ExitCode;
    }

    /// <summary>Waits for its end, or for a time.</summary>
    /// <returns>Its exit code; null if it has not ended.</returns>
    public int? WaitForExit(TimeSpan time) => _process.WaitForExit(time) ? WaitForExit() : null;

    /// <summary>Ends it in the middle of whatever it does (SIGKILL).</summary>
    public void Kill()
    {
        _process.Kill();
        WaitForExit();
    }

    /// <summary>Sends it a signal.</summary>
    public void Signal(PosixSignal signal)
    {
        int number = signal switch
        {
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGINT => 2,
            PosixSignal.SIGTERM => 15,
            _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, null),
        };
        Assert.AreEqual(0, SendSignal(_process.Id, number), string.Create(CultureInfo.InvariantCulture, $"kill({_process.Id}, {number})"));
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private void OnLine(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null)
            return;
        lock (_output)
        {
            _output.AppendLine(line.Data);
            foreach ((string sign, TaskCompletionSource seen) in _waiting)
            {
                if (line.Data.Contains(sign, StringComparison.Ordinal))
                    seen.TrySetResult();
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
