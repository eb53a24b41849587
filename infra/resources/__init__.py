"""What a stage consists of, whether on AWS or on this machine.

Tables, queues, WebSocket paths, the gateway's own answers; and clients of AWS's services.
"""
