namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>What a process does about the others when it ends: it leaves with them, or, where it fails, ends them too. A launcher alone may wait for ever, or report success.</summary>
internal static class MpiProcessEnd
{
    /// <summary>Watches over the end of this process.</summary>
    public static void Install(MpiRankGroup group)
    {
        AppDomain.CurrentDomain.UnhandledException += (_, e) => group.Abort($"Unhandled exception. {e.ExceptionObject}");
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            if (Environment.ExitCode != 0)
                group.Abort($"The process ends with exit code {Environment.ExitCode}, and the others with it.");
            group.Leave();
        };
    }
}
