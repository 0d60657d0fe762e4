namespace Samples.Commands;

/// <summary>
/// Turns Ctrl+C into tokens: the first asks a command that can stop early to keep its result so far; the next cancels the command, which then removes
/// what it wrote; one more ends the process.
/// </summary>
internal sealed class CtrlCHandler : IDisposable
{
    private readonly CancellationTokenSource _stop = new(), _cancel = new();
    private readonly bool _canStop;

    /// <summary>Starts to handle Ctrl+C; only a command that uses <see cref="StopToken"/> can stop.</summary>
    public CtrlCHandler(bool canStop = false)
    {
        _canStop = canStop;
        Console.CancelKeyPress += OnCancel;
    }

    /// <summary>Asks the command to stop early and keep its result so far.</summary>
    public CancellationToken StopToken => _stop.Token;

    /// <summary>Cancels the command; nothing is kept.</summary>
    public CancellationToken CancellationToken => _cancel.Token;

    /// <summary>Does what the next Ctrl+C does.</summary>
    public void Press()
    {
        if (_canStop && !_stop.IsCancellationRequested)
            _stop.Cancel();
        else if (!_cancel.IsCancellationRequested)
            _cancel.Cancel();
        else
            Environment.Exit(ExitCode.Cancelled);  // not a kill: unfinished output is removed on exit
    }

    public void Dispose()
    {
        Console.CancelKeyPress -= OnCancel;
        _stop.Dispose();
        _cancel.Dispose();
    }

    private void OnCancel(object? sender, ConsoleCancelEventArgs e)
    {
        e.Cancel = true;
        Press();
    }
}
