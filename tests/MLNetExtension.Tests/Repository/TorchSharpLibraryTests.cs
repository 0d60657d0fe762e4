using System.Diagnostics;
using System.IO.Compression;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Repository;

/// <summary>The build step that lets TorchSharp's native library load where libstdc++ is that of GCC 12 (buildTransitive/MLNetExtension.targets).</summary>
[TestClass]
[OSCondition(OperatingSystems.Linux)]
public sealed class TorchSharpLibraryTests
{
    private const string PathInPackage = "runtimes/linux-x64/native/libLibTorchSharp.so";

    private static readonly byte[] _packaged = File.ReadAllBytes(Path.Combine(SourceTree.TorchSharpPackage, PathInPackage));

    [TestMethod]
    public void The_file_in_the_package_folder_is_the_one_in_the_package()
    {
        using ZipArchive package = ZipFile.OpenRead(Directory.EnumerateFiles(SourceTree.TorchSharpPackage, "*.nupkg").Single());
        using var original = new MemoryStream();
        package.GetEntry(PathInPackage)!.Open().CopyTo(original);
        CollectionAssert.AreEqual(original.ToArray(), _packaged);
    }

    // A request (Vernaux) is hash, flags, index of the version; both values stand in glibc's and the LSB's tables.
    [TestMethod]
    public void The_copy_that_these_tests_run_on_differs_in_the_weak_flag_of_one_request_alone()
    {
        byte[] copy = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, PathInPackage));
        int flags = Enumerable.Range(0, _packaged.Length).Single(i => copy[i] != _packaged[i]);
        Assert.AreEqual((0, 2), (_packaged[flags], copy[flags]), "VER_FLG_WEAK");
        Assert.AreEqual(ElfHash("GLIBCXX_3.4.32"), BitConverter.ToUInt32(copy, flags - 4), "the request's hash");
    }

    [TestMethod]
    public void A_library_of_another_version_or_shape_is_left_alone_with_a_message()
    {
        using var folder = new TemporaryFolder();
        (string Name, byte[] Content, string Reason)[] libraries =
        [
            ("none", File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "runtimes/linux-x64/native/libc10.so")), "it does not ask for GLIBCXX_3.4.32"),
            ("used", WithAnotherSymbolOfThatVersion(), "it uses "),
            ("text", "no library"u8.ToArray(), "it is no 64-bit little-endian ELF file"),
            ("part", _packaged[..4096], "it is no shared library of the expected shape"),
            ("asis", _packaged, ""),
        ];
        foreach (var library in libraries)
        {
            Directory.CreateDirectory(folder[library.Name]);
            File.WriteAllBytes(Path.Combine(folder[library.Name], "libLibTorchSharp.so"), library.Content);
        }
        File.WriteAllText(folder["test.proj"], $"""
            <Project>
              <Import Project="{SourceTree.Root}src/MLNetExtension/buildTransitive/MLNetExtension.targets" />
              <ItemGroup>
                {string.Concat(libraries.Select(library => $"<NativeCopyLocalItems Include='{library.Name}/libLibTorchSharp.so' PathInPackage='{library.Name}.so' NuGetPackageVersion='1' />"))}
              </ItemGroup>
              <Target Name="ResolvePackageAssets" />
              <Target Name="Test" DependsOnTargets="ResolvePackageAssets">
                <Message Importance="high" Text="deployed %(NativeCopyLocalItems.Identity)." />
              </Target>
            </Project>
            """);

        string output = Build(folder["test.proj"], "-p:IntermediateOutputPath=obj/");
        foreach (var (name, _, reason) in libraries.Where(library => library.Reason.Length > 0))
        {
            Assert.Contains($"{name}/libLibTorchSharp.so is left as it is: {reason}", output);
            Assert.Contains($"deployed {name}/libLibTorchSharp.so.", output);
        }
        Assert.Contains("deployed obj/torchsharp/1/asis.so.", output);
        CollectionAssert.AreEqual(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, PathInPackage)), File.ReadAllBytes(folder["obj/torchsharp/1/asis.so"]));
        CollectionAssert.AreEqual(_packaged, File.ReadAllBytes(folder["asis/libLibTorchSharp.so"]));

        Assert.Contains("deployed asis/libLibTorchSharp.so.", Build(folder["test.proj"], "-p:IntermediateOutputPath=off/", "-p:LoadTorchSharpOnOlderLinux=false"));
    }

    // The one symbol of that version has one entry in .gnu.version; the next symbol gets the same.
    private static byte[] WithAnotherSymbolOfThatVersion()
    {
        byte[] file = [.. _packaged];
        int request = _packaged.AsSpan().IndexOf(BitConverter.GetBytes(ElfHash("GLIBCXX_3.4.32")));
        ushort version = BitConverter.ToUInt16(file, request + 6);
        (int start, int size) = SymbolVersions(file);
        int entry = Enumerable.Range(0, size / 2).Select(i => start + 2 * i).Single(at => BitConverter.ToUInt16(file, at) == version);
        BitConverter.GetBytes(version).CopyTo(file, entry + 2);
        return file;
    }

    private static (int Start, int Size) SymbolVersions(byte[] file)
    {
        int headers = BitConverter.ToInt32(file, 0x28), count = BitConverter.ToUInt16(file, 0x3c);
        int header = Enumerable.Range(0, count).Select(i => headers + 64 * i).Single(at => BitConverter.ToInt32(file, at + 4) == 0x6fffffff);
        return (BitConverter.ToInt32(file, header + 0x18), BitConverter.ToInt32(file, header + 0x20));
    }

    // The System V ABI's hash of a name.
    private static uint ElfHash(string name)
    {
        uint hash = 0;
        foreach (char c in name)
        {
            hash = (hash << 4) + c;
            hash = (hash ^ ((hash & 0xf0000000) >> 24)) & 0x0fffffff;
        }
        return hash;
    }

    private static string Build(string project, params string[] properties)
    {
        var start = new ProcessStartInfo("dotnet", ["msbuild", project, "-t:Test", "-nologo", "-nodeReuse:false", .. properties]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode, output);
        return output;
    }
}
