using Microsoft.Testing.Platform.Builder;
using MLNetExtension.Tests.Hostile;

namespace MLNetExtension.Tests;

/// <summary>Runs the tests or, started by a test, one of the programs that a test kills, disposes of models in, or looks at from outside.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        if (args is [ChildProcess.Argument, string program, ..])
            return ChildPrograms.Run(program, args[2..]);
        ITestApplicationBuilder builder = await TestApplication.CreateBuilderAsync(args);
        builder.AddSelfRegisteredExtensions(args);
        using ITestApplication tests = await builder.BuildAsync();
        return await tests.RunAsync();
    }
}
