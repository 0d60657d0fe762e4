namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>What a process does about the others when it ends: it leaves with them, or, where it fails, ends them too. A launcher alone may wait for ever, or report success.</summary>
internal static class MpiProcessEnd
{
    private const int FailureCode = 1;

    /// <summary>Watches over the end of this process.</summary>
    public static void Install(MpiRankGroup group)
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => OnExit(group);
        // One alone ends as it would without MPI.
        if (group.Size > 1)
            AppDomain.CurrentDomain.UnhandledException += (_, e) => group.Abort($"Unhandled exception. {e.ExceptionObject}", FailureCode);
    }

    // Environment.ExitCode is here what Main has returned or Environment.Exit was given.
    private static void OnExit(MpiRankGroup group)
    {
        if (group.Size > 1 && Environment.ExitCode != 0)
            group.Abort($"The process ends with exit code {Environment.ExitCode}, and the others with it.", Environment.ExitCode);
        group.Leave();
    }
}
