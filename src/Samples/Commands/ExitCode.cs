namespace Samples.Commands;

/// <summary>The exit codes of the program; 0 is success.</summary>
internal static class ExitCode
{
    /// <summary>The command ran and failed.</summary>
    public const int Failure = 1;

    /// <summary>The command line or the data cannot be used; one line says why.</summary>
    public const int BadInput = 2;

    /// <summary>The command was cancelled with Ctrl+C.</summary>
    public const int Cancelled = 130;
}
