namespace Samples.Commands;

/// <summary>Ctrl+C, politest first: where a command can stop with what it has, the first asks for that; the next breaks it off in order; one more ends the process.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _stop = new(), _cancel = new();
    private readonly bool _canStop;

    /// <param name="canStop">Whether the command heeds <see cref="StopToken"/>.</param>
    public Interrupt(bool canStop = false)
    {
        _canStop = canStop;
        Console.CancelKeyPress += OnCancel;
    }

    /// <summary>Asks the command to finish early and keep what it has.</summary>
    public CancellationToken StopToken => _stop.Token;

    /// <summary>Breaks the command off; nothing is kept.</summary>
    public CancellationToken Token => _cancel.Token;

    /// <summary>Does what the next Ctrl+C does.</summary>
    public void Press()
    {
        if (_canStop && !_stop.IsCancellationRequested)
            _stop.Cancel();
        else if (!_cancel.IsCancellationRequested)
            _cancel.Cancel();
        else
            Environment.Exit(SamplesApp.Interrupted);  // an exit, not a kill: unfinished output is removed on the way
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
