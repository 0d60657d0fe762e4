using System.Net;
using System.Net.Sockets;

namespace MLNetExtension.Tests.Samples;

/// <summary>What <c>serve</c> refuses. That it serves is shown in the project of tests with other programs.</summary>
[TestClass]
public sealed class ServeCommandTests
{
    [TestMethod]
    [DataRow("--urls", "https://127.0.0.1:5001", "--urls has 'https://127.0.0.1:5001'; allowed are addresses such as http://127.0.0.1:5000.")]
    [DataRow("--urls", "5001", "--urls has '5001'")]
    [DataRow("--port", "-1", "--port is -1; allowed is a whole number of at least 0.")]
    [DataRow("--port", "70000", "http://127.0.0.1:70000")]
    [DataRow("--max-tokens", "0", "--max-tokens is 0")]
    [DataRow("--queue", "0", "--queue is 0")]
    [DataRow("--model", "nowhere.zip", "nowhere.zip does not exist")]
    [DataRow("--model", "EMPTY", "is not a model that this program can open: ")]
    public void What_cannot_be_served_gets_one_line(string option, string value, string message)
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder["empty"]);
        (int exitCode, _, string error) = CommandLine.Run(["serve", option, value == "EMPTY" ? folder["empty"] : value]);
        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, message);
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }

    [TestMethod]
    public void An_address_that_is_taken_gets_one_line()
    {
        using TemporaryFolder folder = new();
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        (int exitCode, _, string error) = CommandLine.Run("serve", "--model", PublishedModel.Write(folder["model"]), "--port", $"{port}");
        Assert.AreEqual(1, exitCode);
        StringAssert.Contains(error, $"{port}");
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }
}
