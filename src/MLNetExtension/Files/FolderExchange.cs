using System.Runtime.InteropServices;

namespace MLNetExtension.Files;

/// <summary>Exchanges two folders in one step, which .NET cannot do: Linux's <c>renameat2</c> with <c>RENAME_EXCHANGE</c>.</summary>
internal static class FolderExchange
{
    private const int CurrentFolder = -100;    // AT_FDCWD
    private const uint Exchange = 2;           // RENAME_EXCHANGE

    /// <summary>Exchanges two folders of one file system.</summary>
    /// <returns>False where nothing was changed: on other systems, on file systems that cannot do it, and where one of the two is missing.</returns>
    public static bool TryExchange(string first, string second)
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            return Rename(CurrentFolder, first, CurrentFolder, second, Exchange) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library that does not know it: musl before 1.2.6.
            return false;
        }
    }

    [DllImport("libc", EntryPoint = "renameat2")]
    private static extern int Rename(
        int firstRoot, [MarshalAs(UnmanagedType.LPUTF8Str)] string first, int secondRoot, [MarshalAs(UnmanagedType.LPUTF8Str)] string second, uint flags);
}
