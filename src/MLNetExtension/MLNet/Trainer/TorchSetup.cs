using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace MLNetExtension;

/// <summary>Recognises a torch that is not set up, and says in one sentence what is missing.</summary>
/// <remarks>TorchSharp finds its native library when it is first used, and fails then with whatever the loader throws: wrapped in a
/// <see cref="TypeInitializationException"/>, as a <see cref="DllNotFoundException"/>, or as a page-long <see cref="NotSupportedException"/>.</remarks>
internal static class TorchSetup
{
    /// <summary>The version of TorchSharp that is loaded, such as <c>0.105.2</c>.</summary>
    public static string TorchSharpVersion => VersionOf(typeof(torch).Assembly);

    /// <summary>Says what is missing or does not fit.</summary>
    /// <param name="exception">What was thrown, by itself or as the cause of another exception.</param>
    /// <returns>One sentence; null where the exception is about something else.</returns>
    public static string? Explain(Exception exception) => Explain(exception, LoaderError);

    /// <param name="exception">What was thrown.</param>
    /// <param name="loaderError">What the system's loader says of TorchSharp's native library; empty where it loads.</param>
    internal static string? Explain(Exception exception, Func<string> loaderError)
    {
        ArgumentNullException.ThrowIfNull(exception);
        for (Exception? e = exception; e is not null; e = e.InnerException)
            if (Describe(e) is { } what)
                return DescribeOlderLinux(loaderError())
                    ?? $"{what}: add the package TorchSharp-cpu (for a GPU: TorchSharp-cuda-linux or TorchSharp-cuda-windows) in the version of TorchSharp, {TorchSharpVersion}, to the application.";
        return null;
    }

    internal static string VersionOf(Assembly assembly) =>
        (assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? assembly.GetName().Version?.ToString() ?? "unknown").Split('+')[0];

    /// <summary>Runs what uses torch; where torch is not set up, the one sentence is the exception's message and the loader's exception its cause.</summary>
    /// <exception cref="InvalidOperationException">Torch is not set up.</exception>
    internal static T Run<T>(Func<T> use)
    {
        try
        {
            return use();
        }
        catch (Exception exception) when (Explain(exception) is { } sentence)
        {
            throw new InvalidOperationException(sentence, exception);
        }
    }

    private static string? Describe(Exception e) => e switch
    {
        DllNotFoundException or BadImageFormatException when Names(e, "torch") => "The native library of torch cannot be loaded",
        NotSupportedException when Names(e, "libtorch") => "The native library of torch is missing",
        EntryPointNotFoundException when Names(e, "THS") || Names(e, "torch") => "TorchSharp and the native library of torch are of different versions",
        MissingMemberException or TypeLoadException or FileNotFoundException or FileLoadException when e.Message.Contains("TorchSharp", StringComparison.Ordinal) =>
            "TorchSharp cannot be loaded in the version that was compiled against",
        _ => null,
    };

    // The loader's "version `GLIBCXX_3.4.32' not found": TorchSharp 0.107's native library as it comes asks for GCC 13's, as the build marks it for GCC 12's.
    private static string? DescribeOlderLinux(string loaderError)
    {
        if (!loaderError.Contains("`GLIBCXX_", StringComparison.Ordinal))
            return null;
        return loaderError.Contains("`GLIBCXX_3.4.32'", StringComparison.Ordinal)
            ? $"TorchSharp {TorchSharpVersion} asks for a newer libstdc++ than this Linux has: build the application with the property LoadTorchSharpOnOlderLinux=true, which is the default."
            : $"TorchSharp {TorchSharpVersion} needs the libstdc++ of GCC 12 or later (Debian 12, Ubuntu 22.04), and this Linux has an older one.";
    }

    private static string LoaderError()
    {
        try
        {
            NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, null);
            return "";
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return e.Message;
        }
    }

    private static bool Names(Exception e, string what) => e.Message.Contains(what, StringComparison.OrdinalIgnoreCase);
}
